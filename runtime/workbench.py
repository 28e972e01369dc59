"""Puts together what `plan`, `run` and `explain` need, so that all three judge a step by the same objects.

Nothing is created here but objects: the cache touches no file until something is stored, and the worktree slot is made
when an agent or a command first needs it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
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
from runtime.state import RunState
from runtime.view import View
from runtime.workspace import Slot

MAIN_SLOT = "main"
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
    _slot: Slot | None = None
    preparer: Preparer = field(init=False)
    checker: Checker = field(init=False)
    freshness: Freshness = field(init=False)

    def __post_init__(self) -> None:
        self.preparer = Preparer(self.view, self.config, self.own_files, self._command_output, self.choices.agent)
        self.checker = Checker(
            self.view, self.config, self.cache, self.preparer.tree_key, self.environment, self.choices.recheck
        )
        self.freshness = Freshness(self.view, self.preparer, self.checker, self.cache, self._invalid)

    def slot(self) -> Slot:
        """The worktree of this process, made or taken when first asked for."""
        if self._slot is None:
            self._slot = Slot.acquire(self.repository, MAIN_SLOT, run_id=self.run_id)
        return self._slot

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._slot is not None:
            self._slot.release()
        self.cache.close()

    def _invalid(self, node: str) -> str:
        """Why a stored result of this node does not count; empty when it does."""
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
        slot = self.slot()
        slot.goto(tree, commit=commit_of(self.repository, self.view.state, tree))
        with tempfile.TemporaryDirectory(prefix="gumpc-") as folder:
            base = Path(folder)
            command = process.Command(
                argv=("/bin/sh", "-c", script),
                directory=str(slot.path),
                environment={**self.environment, **values},
                stdout=base / "stdout",
                stderr=base / "stderr",
                record=base / "exit.json",
            )
            ended = process.run(command)
            text = (base / "stdout").read_text("utf-8", "replace") if (base / "stdout").exists() else ""
        return (ended.code if ended.reason == "exited" and ended.code is not None else 1), text


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
