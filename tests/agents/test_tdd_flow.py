"""The built-in tdd workflow by the real Claude Code: what it makes, what a second run skips, and what survives a kill.

One run from the start is shared by all tests that look at what comes after it; each goes back to where it ended.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.agents.project import USER, Project, processes_below, texts
from tests.agents.tdd_script import REPOSITORY, SPEC, TASKS, Marks, tdd_rules
from tests.modelserver import ModelServer, Request, Rule, Turn, call, say

pytestmark = [pytest.mark.agents, pytest.mark.slow]

MARKS = Marks()
INSTRUCTIONS = {"CLAUDE.md": "Our own rules.\n\n- No semicolons.\r\n", "AGENTS.md": "# Agents\n\nsee CLAUDE.md"}
FILES = {**REPOSITORY, **INSTRUCTIONS, "spec.md": SPEC}
RUN = ("run", "tdd", "--spec", "spec.md")
STEPS = [
    "decompose",
    "decompose/add/red",
    "decompose/add/green",
    "decompose/mul/red",
    "decompose/mul/green",
    "quality",
]
CHANGED = ["calc.py", "test_add.py", "test_mul.py"]
WORKFLOW = ".gump/workflows/tdd.yaml"


@dataclass(frozen=True, slots=True)
class First:
    """The shared run: its project, and what was asked of the model."""

    project: Project
    saved: Path
    requests: tuple[Request, ...]

    def asked(self, rule: str) -> list[str]:
        """The conversations that the rule of this name answered, oldest first."""
        return [
            texts(request.body["messages"]) for request in self.requests if request.rule and request.rule.name == rule
        ]


@pytest.fixture(scope="module")
def first(claude_cli: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[First]:
    """The workflow, run once: the cheap model writes no test for `add`, the strong one does."""
    with ModelServer(tdd_rules(stuck="red")) as server:
        project = Project.create(tmp_path_factory.mktemp("first") / "base", FILES, claude=claude_cli, url=server.url)
        project.gumpc(*RUN)
        yield First(project, project.save(), tuple(server.played))


@pytest.fixture
def finished(first: First, model_server: ModelServer) -> Project:
    """The repository as the first run left it; its agents ask `model_server`."""
    model_server.play(*tdd_rules(stuck="red"))
    return first.project.restored(first.saved, url=model_server.url)


@pytest.fixture
def again(finished: Project) -> Project:
    """The same without its worktree, which comes back only when an agent or a command needs it."""
    shutil.rmtree(finished.worktrees)
    return finished


@pytest.fixture
def edit(again: Project) -> Callable[..., None]:
    """Replaces texts, each there, in the project's own copy of the workflow."""

    def replace_texts(*pairs: tuple[str, str]) -> None:
        text = again.gumpc("playbook", "show", "tdd").stdout
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new)
        again.write(WORKFLOW, text)

    return replace_texts


def rules_played(server: ModelServer) -> set[str]:
    return {request.rule.name for request in server.played if request.rule}


def step_of(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(step for step in report["steps"] if step["id"] == name)


def test_it_passes_with_one_failed_attempt_and_one_escalation(finished: Project) -> None:
    report = finished.report()
    assert report["status"] == "passed"
    assert [step["id"] for step in report["steps"]] == STEPS
    assert (report["totals"]["retries"], report["totals"]["escalations"]) == (1, 1)
    cheap, strong = step_of(report, "decompose/add/red")["attempts"]
    assert (cheap["agent"], cheap["passed"], strong["agent"], strong["passed"]) == (
        "claude-haiku",
        False,
        "claude-sonnet",
        True,
    )
    assert [gate["name"] for gate in cheap["gates"] if not gate["passed"]] == ["touched"]
    attempts = [len(step["attempts"]) for step in report["steps"]]
    # `quality` judges the tree that the last step's gates have just judged.
    assert attempts == [1, 2, 1, 1, 1, 0]


def test_every_call_is_priced_and_counted_as_the_model_served_it(first: First, finished: Project) -> None:
    totals = finished.report()["totals"]
    assert totals["cost_usd"] > 0
    assert totals["turns"] == len(first.requests)
    assert totals["tokens"]["input"] == 100 * len(first.requests)
    assert totals["tokens"]["output"] == 20 * len(first.requests)


def test_green_goes_on_in_a_copy_of_the_session_of_red(first: First, finished: Project) -> None:
    asked = {event["step"]: event["session_id"] for event in finished.events("agent_launched")}
    given = {event["step"]: event["session_id"] for event in finished.events("agent_completed")}
    for task in ("add", "mul"):
        red, green = f"decompose/{task}/red", f"decompose/{task}/green"
        assert asked[green] == given[red] != given[green]
        conversation = first.asked(f"green {task}")[0]
        assert MARKS.red in conversation
        assert f"test_{task}.py fails as {task} is missing." in conversation
        assert MARKS.green in conversation


def test_another_model_begins_anew_and_is_told_what_failed(first: First) -> None:
    conversation = first.asked("red add")[0]
    assert "The tests can wait." not in conversation
    assert "Attempt 1 failed" in conversation
    assert "touched" in conversation


def test_a_second_run_asks_nothing_and_makes_no_worktree(again: Project, model_server: ModelServer) -> None:
    again.gumpc(*RUN)
    report = again.report()
    assert {step["status"] for step in report["steps"]} == {"cached"}
    assert [step["id"] for step in report["steps"]] == STEPS
    assert (again.calls(), model_server.requests, again.worktrees.exists()) == ({}, [], False)


INSIGNIFICANT = {
    "a comment": [("steps:\n", "# Ours.\nsteps:\n")],
    "a budget": [
        ("max_budget: 8.00", "max_budget: 9.00"),
        ("guard: {max_turns: 40, max_budget: 1.00}", "guard: {max_turns: 41}"),
    ],
    "the number of attempts": [("- exit: 3", "- exit: 4")],
    "the order of keys": [
        ("        run:\n          agent: claude-haiku\n          guard: {max_turns: 40, max_budget: 1.00}\n", ""),
        (
            "        type: code\n        get:\n          prompt: |\n            Write the tests",
            (
                "        run:\n          guard: {max_budget: 1.00, max_turns: 40}\n          agent: claude-haiku\n"
                "        type: code\n        get:\n          prompt: |\n            Write the tests"
            ),
        ),
    ],
}


@pytest.mark.parametrize("what", INSIGNIFICANT)
def test_an_edit_of_no_consequence_runs_nothing(
    what: str, again: Project, edit: Callable[..., None], model_server: ModelServer
) -> None:
    edit(*INSIGNIFICANT[what])
    again.gumpc(*RUN)
    assert {step["status"] for step in again.report()["steps"]} == {"cached"}
    assert (again.calls(), model_server.requests, again.worktrees.exists()) == ({}, [], False)


def test_an_edited_prompt_runs_its_step_alone_when_the_result_is_the_same(
    again: Project, edit: Callable[..., None], model_server: ModelServer
) -> None:
    edit(("Run the whole test suite before you finish.", "Run all tests before you finish."))
    again.gumpc(*RUN)
    assert again.calls() == {"decompose/add/green": 1, "decompose/mul/green": 1}
    assert rules_played(model_server) == {"green add", "green mul"}
    conversation = texts(model_server.played[0].body["messages"])
    assert MARKS.red in conversation
    # What the step said the last time is not part of its key, so it must not be part of the conversation.
    assert "add is implemented." not in conversation
    # Early cutoff: the tree that `mul/red` and `quality` start from is the same.
    assert again.steps("step_skipped") == ["decompose", "decompose/add/red", "decompose/mul/red", "quality"]


def test_an_edited_prompt_runs_what_depends_on_it_when_the_result_changed(
    again: Project, edit: Callable[..., None], model_server: ModelServer
) -> None:
    edit(("Run the whole test suite before you finish.", "Run all tests before you finish."))
    body = 'def add(a, b):\n    raise NotImplementedError("add")'
    otherwise = call("Edit", file_path="{cwd}/calc.py", old_string=body, new_string="def add(a, b):\n    return b + a")
    turns = [Turn([call("Read", file_path="{cwd}/calc.py")]), Turn([otherwise]), Turn([say("Sums commute.")])]
    model_server.play(Rule([MARKS.green, MARKS.add], turns, name="green add, otherwise"), *tdd_rules())
    again.gumpc(*RUN)
    assert again.calls() == {"decompose/add/green": 1, "decompose/mul/red": 1, "decompose/mul/green": 1}
    assert again.steps("step_skipped") == ["decompose", "decompose/add/red", "quality"]


def test_an_edited_spec_with_the_same_tasks_runs_the_split_alone(again: Project, model_server: ModelServer) -> None:
    again.write("spec.md", f"{SPEC}\nNo rounding.\n")
    again.gumpc(*RUN)
    assert again.calls() == {"decompose": 1}
    assert rules_played(model_server) == {"split"}
    assert again.steps("step_skipped") == STEPS[1:]


def test_an_edited_spec_with_one_other_task_runs_that_task(again: Project, model_server: ModelServer) -> None:
    again.write("spec.md", f"{SPEC}\nThe product is exact.\n")
    tasks = [TASKS[0], {**TASKS[1], "description": "The function mul(a, b) of calc.py returns the exact product."}]
    plan = call("Write", file_path="{cwd}/.gump/out/plan.json", content=json.dumps(tasks))
    split = Rule([MARKS.split], [Turn([plan]), Turn([say("Two tasks.")])], name="split otherwise")
    model_server.play(split, *tdd_rules())
    again.gumpc(*RUN)
    assert again.calls() == {"decompose": 1, "decompose/mul/red": 1, "decompose/mul/green": 1}
    assert again.steps("step_skipped") == ["decompose/add/red", "decompose/add/green", "quality"]


def test_an_added_gate_runs_itself_alone(again: Project, edit: Callable[..., None], model_server: ModelServer) -> None:
    edit(
        (
            "          - untouched: *tests\n",
            '          - untouched: *tests\n          - bash: "echo ran >> ~/ran; test -f calc.py"\n',
        )
    )
    again.gumpc(*RUN)
    report = again.report()
    assert (again.calls(), model_server.requests) == ({}, [])
    assert {step["status"] for step in report["steps"]} == {"cached"}
    gates = step_of(report, "decompose/add/green")["gates"]
    assert [gate["name"] for gate in gates] == ["compile", "test", "untouched", "bash"]
    assert (again.base / "home/ran").read_text() == "ran\n" * 2


def test_an_added_gate_that_fails_calls_the_agent(
    again: Project, edit: Callable[..., None], model_server: ModelServer
) -> None:
    edit(
        (
            "          - untouched: *tests\n",
            "          - untouched: *tests\n          - bash: \"! grep -q 'a [*] b' calc.py\"\n",
        )
    )
    again.gumpc(*RUN, code=1)
    assert set(again.calls()) == {"decompose/mul/green"}
    assert again.report()["status"] == "failed"


def test_from_runs_the_step_and_what_follows(again: Project, model_server: ModelServer) -> None:
    again.gumpc(*RUN, "--from", "decompose/mul/red")
    assert again.calls() == {"decompose/mul/red": 1, "decompose/mul/green": 1}
    assert rules_played(model_server) == {"red mul", "green mul"}
    assert again.steps("step_skipped") == STEPS[:3]


def test_apply_brings_the_change_and_nothing_of_ours(again: Project) -> None:
    before = again.git("rev-parse", "HEAD").strip()
    again.gumpc("apply")
    assert {name: (again.path / name).read_bytes() for name in INSTRUCTIONS} == {
        name: text.encode() for name, text in INSTRUCTIONS.items()
    }
    assert again.git("status", "--porcelain") == ""
    assert again.git("diff", "--name-only", before, "HEAD").split() == CHANGED
    assert again.git("log", "--format=", "--name-only", f"{before}..HEAD").split() == CHANGED
    merge, *others = again.git("log", "-z", "--format=%P|%an <%ae>|%cn <%ce>|%B").rstrip("\0").split("\0")
    assert merge.startswith(f"{before} ")
    assert merge.endswith(f"\n\nGump-Run: {again.report()['run']}\n")
    assert [text for text in others if "gump" in text.lower()] == []
    assert {name for text in (merge, *others) for name in text.split("|")[1:3]} == {USER}


def test_no_instruction_file_of_ours_is_anywhere(finished: Project) -> None:
    names = {
        "CLAUDE.md",
        "CLAUDE.local.md",
        "AGENTS.md",
        "GEMINI.md",
        "QWEN.md",
        ".cursorrules",
        "copilot-instructions.md",
    }
    found = [path for path in finished.base.rglob("*") if path.name in names]
    assert {path.name for path in found} == set(INSTRUCTIONS)
    assert [path for path in found if path.read_bytes() != INSTRUCTIONS[path.name].encode()] == []
    objects = finished.git("log", "--all", "--name-only", "--format=").split()
    assert {Path(name).name for name in objects} == {Path(name).name for name in (*FILES, "test_add.py", "test_mul.py")}


def test_killed_while_an_agent_works_it_goes_on(claude_cli: Path, model_server: ModelServer, tmp_path: Path) -> None:
    project = Project.create(tmp_path / "base", FILES, claude=claude_cli, url=model_server.url)
    rules = tdd_rules(stuck="red")
    slow = [replace(rule, turns=_stalled(rule.turns)) if rule.name == "green add" else rule for rule in rules]
    model_server.play(*slow)
    with project.start(*RUN) as process:
        _wait_until(lambda: "green add" in rules_played(model_server), "green of `add` was not reached")
        assert any("claude" in command for _, command in processes_below(project.path))
        process.kill()
    _wait_until(lambda: not list(processes_below(project.worktrees)), "an agent survived the runtime")
    made = len(model_server.played)
    model_server.play(*rules)
    project.gumpc("run", "--resume")
    report = project.report()
    assert report["status"] == "passed"
    asked = [request.rule.name for request in model_server.played[made:] if request.rule]
    assert set(asked) == {"green add", "red mul", "green mul"}
    assert [event["step"] for event in project.events("agent_killed")] == ["decompose/add/green"]
    assert (report["totals"]["retries"], report["totals"]["escalations"]) == (1, 1)
    project.gumpc(*RUN)
    assert project.calls() == {}


def test_an_interrupted_run_stops_its_agent_and_goes_on(
    claude_cli: Path, model_server: ModelServer, tmp_path: Path
) -> None:
    project = Project.create(tmp_path / "base", FILES, claude=claude_cli, url=model_server.url)
    rules = tdd_rules()
    model_server.play(replace(rules[0], turns=_stalled(rules[0].turns)))
    with project.start(*RUN) as process:
        _wait_until(lambda: bool(model_server.played), "the split was not reached")
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(20) == 130
    assert list(processes_below(project.worktrees)) == []
    (killed,) = project.events("agent_killed")
    assert killed["in_flight"] is True
    assert killed["cost_usd"] > 0


def _stalled(turns: Any) -> list[Turn]:
    """The first turn as it is, and then none for a long time."""
    return [turns[0], *(replace(turn, delay=100.0) for turn in turns[1:])]


def _wait_until(holds: Callable[[], bool], otherwise: str) -> None:
    """Wait for up to a minute."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)
