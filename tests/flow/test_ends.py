"""How commands end: exit codes, what bad input leaves behind (nothing), interrupts, and whose files are whose."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from tests.flow.sandbox import Sandbox, stop, wait_until

pytestmark = pytest.mark.slow

STEP = "name: w\nsteps:\n  - {name: s, type: code, prompt: Toil, agent: offline}\n"


@pytest.fixture
def works(sandbox: Sandbox) -> Sandbox:
    """A workflow of one step, and an agent that carries it out."""
    sandbox.rule("Toil", {"write": "x.txt", "text": "x\n"})
    sandbox.workflow(STEP)
    return sandbox


def refused(sandbox: Sandbox, *words: str, cwd: Path | None = None) -> str:
    """The one message of a command that must not start anything."""
    folder = cwd or sandbox.repo
    before = sorted(str(path) for path in folder.rglob("*") if ".git" not in path.parts)
    done = sandbox.gumpc(*words, code=2, cwd=cwd)
    assert sorted(str(path) for path in folder.rglob("*") if ".git" not in path.parts) == before
    assert not (folder / ".gump").exists()
    assert sandbox.counted().total() == 0
    assert done.stderr.count("error") == 1, done.stderr
    assert " help: " in done.stderr
    assert done.stderr.rstrip().endswith("(exit 2, nothing started)")
    return done.stderr


def test_no_repository(works: Sandbox, tmp_path: Path):
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "wf.yaml").write_text(STEP)
    assert "git" in refused(works, "run", "wf.yaml", cwd=folder)


def test_a_repository_without_a_commit(works: Sandbox, tmp_path: Path):
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "wf.yaml").write_text(STEP)
    works.gumpc("--version", code=0)
    shutil.copytree(works.repo / ".git", folder / ".git")
    (folder / ".git/HEAD").write_text("ref: refs/heads/unborn\n")
    assert "commit" in refused(works, "run", "wf.yaml", cwd=folder)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run",), "no workflow"),
        (("run", "wf.yml"), "wf.yml"),
        (("run", "wf.yaml", "--spec", "none.md"), "none.md"),
        (("run", "wf.yaml", "--from", "nosuch"), "nosuch"),
        (("run", "wf.yaml", "--agent", "clod-sonnet"), "clod-sonnet"),
        (("run", "wf.yaml", "--base", "nosuch"), "nosuch"),
        (("run", "wf.yaml", "--nosuch"), "nosuch"),
        (("run", "--resume"), "no run"),
        (("run", "--resume", "0123"), "0123"),
    ],
)
def test_bad_words(works: Sandbox, words: tuple[str, ...], told: str):
    assert told in refused(works, *words)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (STEP.replace("Toil", "'Toil: {spec}'"), "--spec"),
        (STEP.replace("Toil", "'Toil: {depth}'"), "--set depth="),
        (STEP.replace("agent: offline}", "agent: offline, context: [{file: gone.md, required: true}]}"), "gone.md"),
        (STEP.replace("agent: offline", "agent: mine"), "not installed"),
        (STEP.replace("agent: offline", "agent: codex"), "codex"),
        (STEP.replace("type: code", "type: code, hitl: true"), "hitl"),
    ],
)
def test_what_a_workflow_lacks(works: Sandbox, text: str, told: str):
    works.workflow(text)
    works.write(gump_dot_toml='[agents.mine]\ncommand = ["nosuchprogram"]\n')
    done = works.gumpc("run", "wf.yaml", code=2)
    assert told in done.stderr
    assert not (works.repo / ".gump").exists()
    assert works.counted().total() == 0


@pytest.mark.parametrize(
    "setting", ['cache]\nreuse = "rebase"', 'sandbox]\nmode = "require"', "sandbox]\nnetwork = false", "cache]\non = 1"]
)
def test_a_setting_that_would_not_be_honoured(works: Sandbox, setting: str):
    works.write(gump_dot_toml=f"[{setting}\n")
    done = works.gumpc("run", "wf.yaml", code=2)
    assert "gump.toml" in done.stderr
    assert not (works.repo / ".gump").exists()


def test_uncommitted_changes_are_listed_and_refused(works: Sandbox):
    works.write(README_dot_md="mine\n", notes_dot_txt="mine\n")
    told = refused(works, "run", "wf.yaml")
    assert "M README.md" in told
    assert "notes.txt" in told
    assert "--dirty" in told


def test_dirty_starts_from_the_files_as_they_are(works: Sandbox):
    works.write(notes_dot_txt="mine\n")
    status = works.git("status", "--porcelain")
    assert works.run("--dirty") == {"Toil": 1}
    assert works.result("notes.txt") == "mine"
    assert works.git("status", "--porcelain") == status
    assert works.run("--dirty") == {}


def test_base_starts_from_a_commit(works: Sandbox):
    works.commit({"later.txt": "x"})
    assert works.run("--base", "HEAD~1") == {"Toil": 1}
    assert works.result("later.txt") is None


def test_a_failed_run_is_1_and_a_passed_one_0(works: Sandbox):
    works.gumpc("run", "wf.yaml", code=0)
    works.workflow(STEP.replace("}", ", gate: [{bash: 'false'}]}"))
    works.gumpc("run", "wf.yaml", code=1)


def test_a_missing_file_of_context_is_left_out_and_said(works: Sandbox):
    works.commit({"there.md": "what is there\n"})
    works.workflow(STEP.replace("}", ", context: [{file: there.md}, {file: gone.md}, {bash: 'cat there.md | wc -l'}]}"))
    assert works.run() == {"Toil": 1}
    prompt = works.prompt("s")
    assert "## File there.md\n\nwhat is there" in prompt
    assert "gone.md" not in prompt
    assert "gone.md" in works.events("step_warned")[0]["message"]
    assert works.run() == {}
    works.commit({"there.md": "one\ntwo\n"})
    assert works.run() == {"Toil": 1}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_can_be_resumed(works: Sandbox, number: signal.Signals, code: int):
    works.rules.clear()
    works.rule("Toil", {"write": "half.txt", "text": "half"}, {"run": "sleep 60 & sleep 60"})
    process = works.start("run", "wf.yaml")
    wait_until(lambda: "Toil" in works.counted() and list(works.repo.glob(".gump/worktrees/main/half.txt")))
    ended, stderr = stop(process, number)
    assert ended == code
    assert "gumpc resume" in stderr
    assert works.survivors() == []
    works.rules.clear()
    works.rule("Toil", {"write": "x.txt", "text": "x"})
    works.gumpc("resume", code=0)
    assert (works.result("x.txt"), works.result("half.txt")) == ("x", None)


def test_a_run_beside_a_live_one_is_refused_with_its_process(works: Sandbox):
    works.rules.clear()
    works.rule("Toil", {"sleep": 30})
    process = works.start("run", "wf.yaml")
    wait_until(lambda: "Toil" in works.counted())
    runs = sorted(works.repo.glob(".gump/runs/*/"))
    for words in (("run", "wf.yaml"), ("resume", runs[0].name)):
        assert str(process.pid) in works.gumpc(*words, code=2).stderr
    assert sorted(works.repo.glob(".gump/runs/*/")) == runs
    assert stop(process, signal.SIGTERM)[0] == 143


def test_a_display_that_is_gone_does_not_end_the_run(works: Sandbox):
    process = works.start("run", "wf.yaml", "--json")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    process.communicate(timeout=30)
    assert works.events("run_completed")[0]["status"] == "passed"


def test_a_ledger_that_lost_its_end_is_refused(works: Sandbox):
    works.rules.clear()
    works.rule("Toil", {"write": "x.txt", "text": "x"})
    works.rule("Stop", {"fail": "log in first", "kind": "auth"})
    works.workflow(STEP + "  - {name: t, type: code, prompt: Stop, agent: offline}\n")
    works.run(code=3)
    ledger = works.latest() / "manifest.ndjson"
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:5]))
    assert "missing" in works.gumpc("run", "--resume", code=4).stderr
    assert ledger.read_bytes() == b"".join(lines[:5])


def test_a_finished_run_is_not_resumed(works: Sandbox):
    works.run()
    assert "passed" in works.gumpc("run", "--resume", works.latest().name, code=2).stderr


def test_the_users_files_and_branch_are_theirs(works: Sandbox):
    instructions = {"CLAUDE.md": "mine\n", "AGENTS.md": "mine too\n", ".claude/settings.json": "{}\n"}
    works.commit(instructions)
    before = works.git("rev-parse", "HEAD"), works.git("status", "--porcelain"), works.git("stash", "list")
    works.run()
    for name, text in instructions.items():
        assert (works.repo / name).read_text() == text
        assert works.git("show", f"{works.events('run_completed')[0]['commit']}:{name}") == text.rstrip("\n")
    assert (works.git("rev-parse", "HEAD"), works.git("status", "--porcelain"), works.git("stash", "list")) == before
    assert not (works.repo / "x.txt").exists()


def test_a_lint_gate_without_its_tool_is_skipped_and_said(works: Sandbox):
    works.write(gump_dot_toml='[validation]\nlint_cmd = "nosuchlinter ."\n')
    works.workflow(STEP.replace("}", ", gate: [lint]}"))
    assert [works.run(), works.run()] == [{"Toil": 1}, {}]
    gate = works.events("step_skipped")[0]["gates"][0]
    assert (gate["passed"], gate["skipped"]) == (True, "nosuchlinter is not installed")


def test_events_on_standard_output_are_the_ledgers(works: Sandbox):
    printed = [json.loads(line) for line in works.gumpc("run", "wf.yaml", "--json", code=0).stdout.splitlines()]
    assert [event["type"] for event in printed] == [event["type"] for event in works.events()]
