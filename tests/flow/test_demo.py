"""`gumpc demo` in a pipe: what it tells is what the ledgers hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.flow.console import Sandbox

pytestmark = pytest.mark.slow


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path)


def launches(repository: Path) -> list[list[str]]:
    """The steps whose agents were launched, by run."""
    ledgers = sorted((repository / ".gump/runs").glob("*/manifest.ndjson"))
    events = [[json.loads(line) for line in ledger.read_text("utf-8").splitlines()] for ledger in ledgers]
    return [[event["step"] for event in run if event["type"] == "agent_launched"] for run in events]


def test_three_runs_call_agents_as_told(sandbox: Sandbox, tmp_path: Path):
    result = sandbox.run("gumpc demo --fast")
    assert result.code == 0, result.output
    first, second, third = launches(tmp_path / "gumpc-demo")
    tasks = [f"split/{task}/{step}" for task in ("discount", "receipt") for step in ("tests", "code")]
    assert first == ["split", *tasks[:2], tasks[1], *tasks[2:], "notes", "changelog"]
    assert second == []
    assert third == ["notes", "changelog"]
    assert "8 in the first run, 0 in the second, 2 in the third" in result.output


def test_it_reads_in_the_order_in_which_things_happen(sandbox: Sandbox):
    output = sandbox.run("gumpc demo --fast").output
    landmarks = (
        "$ gumpc plan ship --spec spec.md",
        "once per task",
        "$ gumpc run ship --spec spec.md",
        "escalated from offline-small",
        "$ gumpc report",
        "1 retry, 1 escalation",
        "is up to date",
        "+        Write release notes for this change, as a list.",
        "prompt changed",
        "5 skipped",
        "$ gumpc explain notes",
        "Next, in gumpc-demo",
    )
    rest = output
    for mark in landmarks:
        assert mark in rest, f"{mark} does not come next in:\n{output}"
        rest = rest.partition(mark)[2]
    assert "\033" not in output


def test_what_it_suggests_next_works(sandbox: Sandbox):
    output = sandbox.run("gumpc demo --fast").output
    commands = [
        line.strip()
        for line in output.partition("Next, in ")[2].splitlines()
        if line.startswith("  ") and line[2] != " "
    ]
    assert len(commands) == 4
    sandbox.run("cd gumpc-demo")
    for command in commands:
        result = sandbox.run(command)
        assert result.code == 0, f"{command}\n{result.output}"
    assert launches(sandbox.folder)[-1] == ["split"]
    assert sandbox.run("python3 -B -m unittest -q").code == 0


def test_the_user_s_own_settings_do_not_change_it(sandbox: Sandbox):
    sandbox.environment |= {"GUMP_OFFLINE_SCRIPT": "/nowhere", "GUMP_DEFAULT_AGENT": "offline-other"}
    result = sandbox.run("git init -q . && printf '*.json\\n.gump\\n' > .gitignore && gumpc demo --fast inner")
    assert result.code == 0, result.output


def test_an_identity_is_set_only_where_there_is_none(sandbox: Sandbox, tmp_path: Path):
    ask = "git -C {} config --local user.name"
    assert sandbox.run("gumpc demo --fast known > /dev/null 2>&1; " + ask.format("known")).code == 1
    (tmp_path / "home/.gitconfig").unlink()
    assert sandbox.run("gumpc demo --fast unknown > /dev/null 2>&1; " + ask.format("unknown")).output == "gumpc demo\n"


@pytest.mark.parametrize("prepare", ["mkdir here && touch here/mine", "echo mine > here"], ids=["folder", "file"])
def test_what_is_there_is_left_alone(sandbox: Sandbox, prepare: str):
    result = sandbox.run(f"{prepare}; gumpc demo here")
    assert result.code == 2
    assert "not an empty folder" in result.output
    assert sandbox.run("find here -type f").output in ("here/mine\n", "here\n")


def test_a_place_that_cannot_be_written_is_an_error(sandbox: Sandbox):
    result = sandbox.run("echo > file; gumpc demo file/inner")
    assert result.code == 2
    assert "Traceback" not in result.output


def test_it_fails_when_a_command_does(sandbox: Sandbox, tmp_path: Path):
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3").chmod(0o755)
    result = sandbox.run(f"PATH={tmp_path}:$PATH gumpc demo --fast")
    assert result.code == 1
    assert "did not go as told" in result.output
