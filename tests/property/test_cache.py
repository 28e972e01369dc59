"""The cache is sound: whatever was edited since, a run with it ends exactly as a run without it.

Two repositories go through the same random edits. In one the cache lives on from run to run; in the other it is removed
before each run. The agent's work depends on all that it can read, so any result that was used wrongly shows in a tree,
a value or a verdict. `GUMPC_SEQUENCES` sets how many sequences are tried.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from gumpc.cli.asking import request
from gumpc.cli.project import Project
from gumpc.config import find
from gumpc.library import Library
from runtime.clock import SystemClock
from runtime.errors import ExitCode
from runtime.repository import Repository
from runtime.runner import Ended, Surroundings, Watchers, start
from tests.property.edits import Case
from tests.property.reading_agent import Memory, adapters
from tests.unit.git_cli import git, new_repository, write

SEQUENCES = int(os.environ.get("GUMPC_SEQUENCES", "40"))
EDITS = 5
VOLATILE = ("session_id", "duration", "cached")
"""Fields that tell of the call itself, not of its result."""

pytestmark = pytest.mark.slow


@dataclass
class Sandbox:
    """One repository, with the agent's memory."""

    folder: Path
    memory: Memory
    home: Path

    def put(self, case: Case) -> None:
        """Commit everything as the case has it; a dirty case leaves one file uncommitted."""
        files = {**case.files, "wf.yaml": case.workflow(), "gump.toml": case.config(), "spec.md": f"spec {case.spec}\n"}
        write(self.folder, files)
        git(self.folder, "add", "-A")
        git(self.folder, "commit", "-q", "--allow-empty", "-m", "more")
        if case.how.get("dirty"):
            write(self.folder, {"a.txt": f"dirty {case.files['a.txt']}"})

    def run(self, case: Case) -> Ended:
        repository = Repository.discover(self.folder)
        config = find(self.folder, self.home, environment={})
        project = Project(self.folder, self.folder, config, Library(self.folder, self.home, self.folder))
        words = {"agent": None, "from_step": "", "force": False, "recheck": False, "base": None, "dirty": False}
        asked = request(
            project,
            repository.root,
            workflow="wf.yaml",
            spec="spec.md",
            workflow_option=None,
            sets=(),
            max_budget=None,
            **{**words, **case.how},
        )
        revision = case.how.get("base") or "HEAD"
        self.memory.own_files = {
            name: repository.read(repository.tree_of(repository.resolve(revision)), name) or b""
            for name in asked.own_files
        }
        environment = {**os.environ, "HOME": str(self.home)}
        around = Surroundings(repository, config, environment, SystemClock(), adapters(self.memory))
        return start(asked, around, Watchers())

    def forget(self) -> None:
        """Remove everything that runs have left, but for the user's own history."""
        for path in (self.folder / ".gump/runs", self.folder / ".gump/worktrees", self.folder / ".git/gumpc"):
            shutil.rmtree(path, ignore_errors=True)
        for ref in git(self.folder, "for-each-ref", "--format=%(refname)", "refs/gumpc").split():
            git(self.folder, "update-ref", "-d", ref)
        self.memory.sessions.clear()


def sandbox(folder: Path, home: Path) -> Sandbox:
    return Sandbox(new_repository(folder, {"README.md": "hello\n"}), Memory(), home)


def told(ended: Ended) -> dict[str, object]:
    """What a run came to: its status, its tree, and every field of every step."""
    fields = json.loads(ended.run.state.read_text())
    kept = {
        name: value
        for name, value in fields.items()
        if not name.startswith("run.") and name.rpartition(".")[2] not in VOLATILE
    }
    return {"code": ended.code, "tree": ended.state.result_tree, **kept}


@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_a_run_with_the_cache_ends_as_one_without(tmp_path: Path, seed: int):
    home = tmp_path / "home"
    home.mkdir()
    warm, cold = sandbox(tmp_path / "warm", home), sandbox(tmp_path / "cold", home)
    case = Case(random.Random(seed))
    case.start()
    log = []
    for _ in range(EDITS + 1):
        for one in (warm, cold):
            one.put(case)
        cold.forget()
        before = warm.memory.calls
        with_cache, without = told(warm.run(case)), told(cold.run(case))
        log.append(f"{case.kind or 'start'} {case.how} ({warm.memory.calls - before} calls)\n{case.workflow()}")
        assert with_cache == without, "\n".join(log)
        for one in (warm, cold):
            git(one.folder, "checkout", "-q", "--", ".")
        if not case.how and with_cache["code"] == ExitCode.SUCCESS:
            before = warm.memory.calls
            again = told(warm.run(case))
            assert (warm.memory.calls, again) == (before, with_cache), "nothing has changed\n" + "\n".join(log)
        case.edit()


def test_the_sequences_use_the_cache():
    """The yardstick itself: what is tried must be more than runs in which everything, or nothing, is skipped."""
    kinds: Counter[str] = Counter()
    for seed in range(40):
        case = Case(random.Random(seed))
        case.start()
        kinds.update(step.get("type", "gate") for step in case.steps)
        for _ in range(EDITS):
            case.edit()
            kinds[case.kind] += 1
            kinds.update(list(case.how))
    assert {"code", "split", "validate", "artifact", "gate", "_prompt", "_retry", "_session", "force"} <= set(kinds)
    assert min(kinds.values()) >= 2
