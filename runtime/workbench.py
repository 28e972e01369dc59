"""Puts together what `plan`, `run` and `explain` need, so that all three judge a step by the same objects.

Nothing is created here but objects: the cache touches no file until something is stored, and the worktree slot is made
when an agent or a command first needs it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from gumpc.config import Config
from runtime import process
from runtime.cache import Cache
from runtime.checks import Checker
from runtime.freshness import Freshness
from runtime.inputs import Preparer
from runtime.repository import Repository
from runtime.runs import RunDirectory, runs_folder
from runtime.state import RunState
from runtime.view import View
from runtime.workspace import Slot, hide_runtime_files

MAIN_SLOT = "main"
ORPHANS_LIMIT = 5.0
"""Seconds that are waited for commands whose process was killed; a shim takes at most three to end one."""
_GIT_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command line says about how to decide."""

    agent: str | None = None
    force: bool = False
    from_step: str = ""
    recheck: bool = False


@dataclass(slots=True)
class Workbench(AbstractContextManager["Workbench"]):
    """Everything that judges a plan's steps; a context manager that lets go of the slot and the cache."""

    repository: Repository
    config: Config
    view: View
    cache: Cache
    choices: Choices
    environment: Mapping[str, str]
    own_files: tuple[str, ...]
    run_id: str = ""
    out_of_time: Callable[[], bool] = lambda: False
    held: Slot | None = None
    preparer: Preparer = field(init=False)
    checker: Checker = field(init=False)
    freshness: Freshness = field(init=False)

    def __post_init__(self) -> None:
        self.preparer = Preparer(self.view, self.config, self.own_files, self._command_output, self.choices.agent)
        self.checker = Checker(
            self.view,
            self.config,
            self.cache,
            self.preparer.tree_key,
            self.environment,
            disregards=lambda node: self.choices.recheck or bool(self._invalid(node)),
            keeps=self.config.cache.enabled,
            out_of_time=self.out_of_time,
        )
        self.freshness = Freshness(self.view, self.preparer, self.checker, self.cache, self._invalid)

    def slot(self) -> Slot:
        """The worktree of this process, made or taken when first asked for."""
        if self.held is None:
            self.held = take_slot(self.repository, run_id=self.run_id)
        return self.held

    def visit(self, tree: str) -> Path:
        """The worktree with the files of a tree, for a command; whatever an agent had left there is gone then."""
        slot = self.slot()
        slot.occupy(self.run_id)
        slot.goto(tree, commit=commit_of(self.repository, self.view.state, tree))
        return slot.path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.held is not None:
            self.held.release()
        self.cache.close()

    def _invalid(self, node: str) -> str:
        """Why a stored result of this node does not count; empty when it does."""
        if not self.config.cache.enabled:
            return "the cache is turned off"
        if self.choices.force:
            return "forced"
        start = self.choices.from_step
        if start and self._follows(start, node):
            return f"replayed from {start}"
        return ""

    def _follows(self, start: str, node: str) -> bool:
        plan = self.view.plan
        return start in plan.by_id and node in plan.dependants(start)

    def _command_output(self, script: str, values: dict[str, str], tree: str) -> tuple[int, str]:
        """Runs a context command on a tree; its exit code and its standard output."""
        directory = self.visit(tree)
        with tempfile.TemporaryDirectory(prefix="gumpc-") as folder:
            base = Path(folder)
            command = process.Command(
                argv=("/bin/sh", "-c", script),
                directory=str(directory),
                environment={**self.environment, **values},
                stdout=base / "stdout",
                stderr=base / "stderr",
                record=base / "exit.json",
            )
            ended = process.run(command)
            text = (base / "stdout").read_text("utf-8", "replace") if (base / "stdout").exists() else ""
        return (ended.code if ended.reason == "exited" and ended.code is not None else 1), text


def take_slot(repository: Repository, *, run_id: str = "") -> Slot:
    """Hold the repository's worktree; raises SlotBusy, with the process that holds it."""
    hide_runtime_files(repository.root)
    slot = Slot.acquire(repository, MAIN_SLOT, run_id=run_id)
    _wait_for_orphans(slot, repository)
    return slot


def _wait_for_orphans(slot: Slot, repository: Repository) -> None:
    """Let commands of a process that was killed come to their end: their shims end them, within about a second."""
    run, *_ = slot.occupant().split() or [""]
    deadline = time.monotonic() + ORPHANS_LIMIT
    for output in RunDirectory(runs_folder(repository.root) / run).artifacts.rglob("*") if run else ():
        while output.suffix in (".jsonl", ".stdout") and not process.is_over(output) and time.monotonic() < deadline:
            time.sleep(0.01)


def commit_of(repository: Repository, state: RunState, tree: str) -> str:
    """A commit of the tree on top of the run's, so that `git log` in a slot shows the user's history."""
    if tree == repository.tree_of(state.commit):
        return state.commit
    return repository.commit(tree, parents=(state.commit,), message="work of the run so far\n")


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of agents and gates: the user's, without what ties a process to another repository."""
    return {name: value for name, value in environment.items() if name not in _GIT_VARIABLES}


def cache_folder(repository: Repository) -> Path:
    """Where the repository's cache is: in its common git directory, so that its worktrees share it."""
    return repository.common_dir / "gumpc" / "cache"
