"""The tables of docs/cache.md: each edit, made after a run that passed, and what the plan then says."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.flow.console import Sandbox, Typed, read_page

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "cache.md"
WORKFLOW = ".gump/workflows/ship.yaml"
TASKS = ("split/discount/tests", "split/discount/code", "split/receipt/tests", "split/receipt/code")
STEPS = ("split", *TASKS, "notes", "changelog", "quality")


@dataclass(frozen=True)
class Edit:
    """One place of one file, and the steps whose fate it changes; all others are skipped."""

    path: str = ""
    old: str = ""
    new: str = ""
    fates: Mapping[str, str] = field(default_factory=dict)
    commit: bool = False


AFTER_SPLIT = {
    "split": "run",
    **dict.fromkeys(("split/@/tests", "split/@/code", "notes", "changelog", "quality"), "wait"),
}
EDITS = {
    "nothing": Edit(),
    "a comment, a description": Edit(WORKFLOW, "description: Tests", "description: |\n  # Tests"),
    "a budget or a guard": Edit(WORKFLOW, "{max_turns: 20, max_budget: 0.20}", "{max_turns: 9, max_time: 5m}"),
    "one more attempt": Edit(WORKFLOW, "exit: 3", "exit: 4"),
    "the prompt of a step": Edit(
        WORKFLOW, "as one paragraph", "in one sentence", {"notes": "run", "changelog": "wait", "quality": "wait"}
    ),
    "the agent of a step": Edit(
        WORKFLOW,
        "{notes.output}\n    run:\n      agent: offline-small",
        "{notes.output}\n    run:\n      agent: offline-large",
        {"changelog": "run", "quality": "wait"},
    ),
    "the spec": Edit("spec.md", "two more things", "two things", AFTER_SPLIT),
    "the retry entry that a result needed": Edit(
        WORKFLOW,
        "- attempt: 2\n            agent: offline-large",
        "- attempt: 2\n            agent: offline-other",
        {
            "split/discount/code": "run",
            **dict.fromkeys((*TASKS[2:], "notes", "changelog", "quality"), "wait"),
        },
    ),
    "a new gate": Edit(
        WORKFLOW,
        "- touched: CHANGELOG.md",
        "- bash: test -s CHANGELOG.md",
        {"changelog": "regate", "quality": "wait"},
    ),
    "the command of `test`": Edit(
        "gump.toml",
        "unittest -q",
        "unittest",
        {
            "split/discount/code": "regate",
            **dict.fromkeys((*TASKS[2:], "notes", "changelog", "quality"), "wait"),
        },
    ),
    "a source file": Edit("money.py", "Amounts", "Sums", AFTER_SPLIT, commit=True),
}


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which the workflow has passed once."""
    sandbox = Sandbox(tmp_path_factory.mktemp("shipped"))
    made = sandbox.run("gumpc demo --fast && cd gumpc-demo && git checkout -q . ")
    assert made.code == 0, made.output
    return sandbox.folder


def plan(sandbox: Sandbox) -> dict[str, str]:
    result = sandbox.run("gumpc plan ship --spec spec.md --json 2>/dev/null")
    assert result.code == 0, result.output
    nodes = json.loads(result.output)["nodes"]
    return {node["id"]: node["fate"] for node in nodes}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_runs_what_the_page_says(name: str, shipped: Path, tmp_path: Path):
    edit, sandbox = EDITS[name], Sandbox(tmp_path)
    sandbox.folder = shutil.copytree(shipped, tmp_path / "copy")
    if edit.path:
        file = sandbox.folder / edit.path
        text = file.read_text("utf-8")
        assert edit.old in text
        file.write_text(text.replace(edit.old, edit.new), "utf-8")
    if edit.commit:
        sandbox.run("git commit -qam edit")
    expected = dict(edit.fates) if edit.fates.get("split") else dict.fromkeys(STEPS, "skip") | dict(edit.fates)
    assert plan(sandbox) == expected


@pytest.mark.parametrize("name", ["a new gate", "the command of `test`"])
def test_a_changed_gate_calls_no_agent(name: str, shipped: Path, tmp_path: Path):
    edit, sandbox = EDITS[name], Sandbox(tmp_path)
    sandbox.folder = shutil.copytree(shipped, tmp_path / "copy")
    file = sandbox.folder / edit.path
    file.write_text(file.read_text("utf-8").replace(edit.old, edit.new), "utf-8")
    result = sandbox.run("gumpc run ship --spec spec.md --json 2>/dev/null")
    events = [json.loads(line)["type"] for line in result.output.splitlines()]
    assert result.code == 0
    assert "agent_launched" not in events


def test_a_new_gate_that_says_no_calls_the_agent(shipped: Path, tmp_path: Path):
    sandbox = Sandbox(tmp_path)
    sandbox.folder = shutil.copytree(shipped, tmp_path / "copy")
    file = sandbox.folder / WORKFLOW
    file.write_text(
        file.read_text("utf-8").replace("- touched: CHANGELOG.md", "- bash: test ! -e CHANGELOG.md"), "utf-8"
    )
    result = sandbox.run("gumpc run ship --spec spec.md --json 2>/dev/null")
    events = [json.loads(line) for line in result.output.splitlines()]
    assert result.code == 1
    assert [event["step"] for event in events if event["type"] == "agent_launched"] == ["changelog"]


def test_the_page_lists_these_edits():
    section = PAGE.read_text("utf-8").partition("## Edit, and what runs")[2].partition("\n**")[0]
    listed = [row for row in re.findall(r"^\| ([^|]+?) \|", section, re.MULTILINE) if row != "edit"]
    assert listed == list(EDITS)


def test_all_can_be_forgotten(shipped: Path, tmp_path: Path):
    sandbox = Sandbox(tmp_path)
    sandbox.folder = shutil.copytree(shipped, tmp_path / "copy")
    for item in read_page(PAGE):
        assert isinstance(item, Typed)
        assert sandbox.run(item.command).code == 0
    assert plan(sandbox) == AFTER_SPLIT
    assert sandbox.run("git for-each-ref refs/gumpc/cache").output == ""
    assert sandbox.run("gumpc run ship --spec spec.md").code == 0
