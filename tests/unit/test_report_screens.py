"""What people see of plans and runs, as golden files: `GUMPC_UPDATE_GOLDEN=1` rewrites them; the review is the diff.

Every state is folded from the events of a sample run.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pytest

from gumpc.digest import digest_of
from gumpc.plan import Plan, PlanNode
from gumpc.tasks import Task
from runtime import events as ev
from runtime.freshness import Action, Decision
from runtime.outlook import Fate, Outlook
from runtime.report.columns import clean, display_width
from runtime.report.detail_text import detail_text
from runtime.report.explain_text import explain_text
from runtime.report.graph_text import dot, mermaid
from runtime.report.model import Changes
from runtime.report.plan_text import PlanHeader, plan_json, plan_text
from runtime.report.report_json import report_json
from runtime.report.report_text import report_text
from runtime.report.status_text import RunLine, status_text
from runtime.report.summary import summary_text
from runtime.results import Latest, Stored
from runtime.runs import RunSummary
from tests.fakes.sample_runs import BEFORE, LONG_TASKS, RUN, RUNS, TASKS, TDD, Tape, plan_for, plan_of

SCREENS = Path(__file__).parents[1] / "cases" / "screens"
CHANGES = Changes(7, 212, 18)
HEADER = PlanHeader("spec.md", 1234, "main", "4f2c1e9" + "0" * 33, max_budget=8.0)


def golden(name: str, text: str) -> None:
    path = SCREENS / f"{name}.txt"
    if os.environ.get("GUMPC_UPDATE_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def is_to_be_copied(line: str) -> bool:
    """Paths and commands are whole however narrow the screen is."""
    return ".gump/runs/" in line or re.search(r"^ {9}gumpc|next:|gumpc resume", line) is not None


def assert_fits(text: str, width: int) -> None:
    assert text.endswith("\n")
    for line in text.splitlines():
        assert "\x1b" not in line
        assert line == line.rstrip()
        assert display_width(line) <= width or is_to_be_copied(line), line


def report(name: str, width: int, *, color: bool = False) -> str:
    state, plan = RUNS[name]().state, plan_for(name)
    return report_text(plan, state, changes=CHANGES, width=width, color=color, zone=UTC)


def summary(name: str, width: int, *, color: bool = False) -> str:
    state, plan = RUNS[name]().state, plan_for(name)
    return summary_text(plan, state, files=7, added=212, removed=18, branch="main", width=width, color=color)


def detail(name: str, width: int, *, color: bool = False) -> str:
    step = "decompose/会計/green" if name == "long_names" else "decompose/auth/green"
    return detail_text(plan_for(name), RUNS[name]().state, step, width=width, color=color)


def outlooks(plan: Plan, fates: tuple[Fate, ...], waits: tuple[str, ...] = ()) -> tuple[Outlook, ...]:
    return tuple(
        outlook(node, fate, waits[n] if waits else plan.nodes[n - 1].id)
        for n, (node, fate) in enumerate(zip(plan.nodes, fates, strict=True))
    )


def outlook(node: PlanNode, fate: Fate, before: str) -> Outlook:
    if fate == "wait":
        return Outlook(node, fate, f"waits for {before}", waits_for=before)
    action: Action = fate
    cost = None if node.id.endswith("red") and "会計" in node.id else 0.31
    stored = Stored(BEFORE, node.id, "tdd", "claude-x", "t0", "t1", {}, (), {}, {}, cost=cost)
    has_result = fate in ("skip", "regate") and node.kind == "agent"
    pending = ("compile", "test") if fate == "regate" else ()
    reason = "tree changed: src/auth.py, src/session.py and 3 more" if fate == "run" else "same tree, same gates"
    decision = Decision(node, action, reason, "t0", stored=stored if has_result else None, pending=pending)
    return Outlook(node, fate, reason, decision)


def some_plan(
    fates: tuple[Fate, ...], tasks: tuple[Task, ...] | None = TASKS, *waits: str
) -> tuple[Plan, tuple[Outlook, ...]]:
    plan = plan_of(TDD, tasks)
    return plan, outlooks(plan, fates, waits)


PLANS: dict[str, Callable[[], tuple[Plan, tuple[Outlook, ...]]]] = {
    "first_run": lambda: some_plan(
        ("run", "wait", "wait", "wait"), None, "", "decompose", "decompose/@/red", "decompose/@/green"
    ),
    "changed": lambda: some_plan(("skip", "skip", "run", "wait", "wait", "wait")),
    "regate": lambda: some_plan(("skip", "skip", "regate", "skip", "skip", "run")),
    "up_to_date": lambda: some_plan(("skip",) * 6),
    "long_names": lambda: some_plan(("skip", "skip", "run", "wait", "wait", "wait"), LONG_TASKS),
}


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("show", [report, summary, detail], ids=lambda show: show.__name__)
@pytest.mark.parametrize("name", [name for name in RUNS if name != "unpriced"])
def test_a_run(name: str, show: Callable[[str, int], str], width: int) -> None:
    text = show(name, width)
    assert_fits(text, width)
    golden(f"{show.__name__}-{name}-{width}", text)


@pytest.mark.parametrize("width", [80, 200])
def test_a_run_with_an_unknown_price(width: int) -> None:
    text = report("unpriced", width) + summary("unpriced", width)
    assert_fits(text, width)
    golden(f"report-unpriced-{width}", text)
    assert "≥ $1.20" in text
    assert "$0.00" not in text


@pytest.mark.parametrize("show", [report, summary, detail], ids=lambda show: show.__name__)
@pytest.mark.parametrize("name", ["running", "gate_failed", "paused", "escalated"])
def test_colour_says_nothing_that_words_do_not(name: str, show: Callable[..., str]) -> None:
    colored = show(name, 80, color=True)
    assert "\x1b[" in colored
    assert [clean(line) for line in colored.splitlines()] == show(name, 80).splitlines()


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("name", PLANS)
def test_a_plan(name: str, width: int) -> None:
    plan, found = PLANS[name]()
    text = plan_text(plan, found, header=HEADER, width=width)
    assert_fits(text, width)
    golden(f"plan-{name}-{width}", text)


def test_a_plan_for_scripts() -> None:
    plan, found = PLANS["regate"]()
    value = json.loads(json.dumps(plan_json(plan, found, header=HEADER)))
    assert value["version"] == 1
    assert [node["fate"] for node in value["nodes"]] == ["skip", "skip", "regate", "skip", "skip", "run"]
    assert value["nodes"][2]["pending_gates"] == ["compile", "test"]
    assert value["nodes"][2]["tasks"] == [{"split": "decompose", "task": "auth"}]
    assert {"source": "decompose/auth/red", "target": "decompose/auth/green", "kinds": ["tree"]} in value["edges"]
    assert value["totals"]["saved_usd"] == pytest.approx(0.31 * 4)
    assert value["totals"]["max_agent_calls"] == 5
    assert value["totals"]["per_task"] == []


def test_a_plan_with_unknown_tasks_and_prices_for_scripts() -> None:
    plan, found = PLANS["first_run"]()
    totals = plan_json(plan, found, header=HEADER)["totals"]
    assert isinstance(totals, dict)
    assert totals["per_task"] == [{"split": "decompose", "steps": 2, "max_agent_calls": 7}]
    assert totals["max_agent_calls"] == 1
    plan, found = PLANS["long_names"]()
    totals = plan_json(plan, found, header=HEADER)["totals"]
    assert isinstance(totals, dict)
    assert totals["saved_usd"] is None


@pytest.mark.parametrize("draw", [mermaid, dot], ids=lambda draw: draw.__name__)
@pytest.mark.parametrize("tasks", [None, LONG_TASKS], ids=["static", "expanded"])
def test_a_graph(draw: Callable[[Plan], str], tasks: tuple[Task, ...] | None) -> None:
    golden(f"{draw.__name__}-{'expanded' if tasks else 'static'}", draw(plan_of(TDD, tasks)))


def test_a_graph_quotes_what_its_language_reads() -> None:
    plan = plan_of(TDD)
    node = dataclasses.replace(plan.nodes[0], id='a"<b>#`\\c')
    odd = Plan(plan.workflow, {}, (node,), (), plan.frames)
    assert '"a#quot;#lt;b#gt;#35;#96;\\c<br/>claude-opus' in mermaid(odd)
    assert 'label="a\\"<b>#`\\\\c\\nclaude-opus' in dot(odd)


def latest(**parts: str) -> Latest:
    tree = (("id", parts["tree"]),)
    fields = {
        "recipe": (("type", "code"), ("agent", parts["agent"])),
        "prompt": (("text", parts["prompt"]),),
        "context": (("File README.md", parts["context"]),) if "context" in parts else (),
        "session": (("from", "new"),),
        "tree": tree,
    }
    return Latest("k", RUN, parts["tree"], {name: digest_of(value) for name, value in fields.items()}, fields)


OLD = latest(agent="claude haiku", prompt="Do it\nwell\n\x1b[31mnow\nplease", tree="t1")
NEW = latest(agent="claude sonnet", prompt="Do it\nbetter\nnow\nplease", tree="t2", context="a file")
FILES = [("M", "src/auth.py", "decompose/auth/green"), ("A", "src/" + "very-long-name-of-a-module" * 4 + ".py", "")]


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize(("name", "now", "before"), [("changed", NEW, OLD), ("new", NEW, None), ("same", NEW, NEW)])
def test_an_explanation(name: str, now: Latest, before: Latest | None, width: int) -> None:
    text = explain_text(
        "decompose/cart/red",
        run_id="0193f2b7",
        happened="was skipped" if name == "same" else "ran",
        reason="" if name == "same" else "prompt changed (line 2)",
        now=now,
        before=before,
        changed_files=FILES if name == "changed" else (),
        hint="with `inputs: [src/cart/**]` this step would have been skipped" if name == "changed" else "",
        width=width,
    )
    assert_fits(text, width)
    golden(f"explain-{name}-{width}", text)


def run_line(number: int, name: str) -> RunLine:
    run = f"0193f2{number:02x}-1111-7abc-8def-00000000000{number}"
    summary = RunSummary(run, "tdd", "docs/spec.md", f"2026-11-{number + 1:02}T14:02:00.000Z")
    return RunLine(summary, RUNS[name]().state, is_alive=name == "running")


@pytest.mark.parametrize("width", [80, 200])
def test_the_status(width: int) -> None:
    runs = [run_line(number, name) for number, name in enumerate(RUNS)]
    runs.append(RunLine(RunSummary("0193f2ff-1111-7abc-8def-000000000000", "broken", started="2026-11-30T10:00:00Z")))
    text = status_text(runs, width=width, zone=UTC)
    assert_fits(text, width)
    golden(f"status-{width}", text)


def test_the_status_of_a_new_repository() -> None:
    assert status_text([], width=80) == "no runs yet (`gumpc run WORKFLOW --spec FILE` starts one)\n"


def test_a_report_for_scripts() -> None:
    value = json.loads(json.dumps(report_json(plan_for("escalated"), RUNS["escalated"]().state, changes=CHANGES)))
    green = value["steps"][2]
    assert (value["version"], value["status"]) == (1, "passed")
    assert [attempt["agent"] for attempt in green["attempts"]] == ["claude-haiku", "claude-haiku", "claude-sonnet"]
    assert [attempt["passed"] for attempt in green["attempts"]] == [False, False, True]
    assert green["attempts"][0]["gates"][1]["error"].startswith("2 failed")
    assert value["totals"] | {"tokens": None} == {
        "steps": 6,
        "over": 6,
        "skipped": 2,
        "retries": 2,
        "escalations": 1,
        "guards": 0,
        "turns": 55,
        "cost_usd": pytest.approx(0.71),
        "priced_cost_usd": pytest.approx(0.71),
        "saved_usd": pytest.approx(0.39),
        "tokens": None,
        "changes": {"files": 7, "added": 212, "removed": 18},
    }


def test_an_unknown_cost_is_null_for_scripts() -> None:
    value = report_json(plan_for("unpriced"), RUNS["unpriced"]().state, changes=None)
    steps, totals = value["steps"], value["totals"]
    assert isinstance(steps, list)
    assert isinstance(totals, dict)
    assert [step["cost_usd"] for step in steps[1:3]] == [None, 1.2]
    assert (totals["cost_usd"], totals["priced_cost_usd"], totals["changes"]) == (None, 1.2, None)


def test_a_report_of_a_step_that_the_plan_does_not_hold_is_not_lost() -> None:
    static = plan_of(TDD)
    text = report_text(static, RUNS["escalated"]().state, changes=None, width=200, zone=UTC)
    assert "decompose/cart/green" in text
    assert "decompose/*/red" not in text


def test_a_step_that_is_not_there_has_no_detail() -> None:
    with pytest.raises(KeyError, match="nowhere"):
        detail_text(plan_for("escalated"), RUNS["escalated"]().state, "nowhere", width=80)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"max_timeout": 600.0}, "time limit reached: 0.1s of 10m00s"),
        ({"max_tokens": 5}, "token limit reached: 0 of 5"),
    ],
    ids=["time", "tokens"],
)
def test_every_limit_of_a_run_is_named(limits: dict[str, float], said: str) -> None:
    tape = Tape().start(max_budget=None, **limits)
    tape.add(ev.BudgetExceeded("decompose", next(iter(limits)), 1.0, 2.0), after=0.1).end("failed")
    text = summary_text(plan_of(TDD), tape.state, files=0, added=0, removed=0, branch="main", width=80)
    assert said in text
