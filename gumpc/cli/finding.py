"""Finding a recorded run for the commands that look at one: its state, its plan, its folder."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass

from gumpc.cli.asking import require_project, surroundings
from gumpc.plan import Plan, make_plan
from runtime.errors import RunError
from runtime.journal import load
from runtime.plan_file import load_plan
from runtime.report.model import Changes
from runtime.repository import Repository
from runtime.runner import Surroundings
from runtime.runs import RunDirectory, find_run, list_runs
from runtime.state import RunState


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run as it stands on disk."""

    around: Surroundings
    run: RunDirectory
    state: RunState
    plan: Plan
    own_files: tuple[str, ...]

    def changes(self) -> Changes:
        """How much the run has changed so far."""
        return count_changes(self.around.repository, self.state.tree, self.tree())

    def tree(self) -> str:
        """The tree that the run has come to: its result, or the latest step's."""
        trees = [s.tree for n in self.plan.nodes if n.writes and (s := self.state.peek(n.id)).tree]
        return self.state.result_tree or (trees[-1] if trees else self.state.tree)


def recorded(name: str) -> Recorded:
    """The run of this id, a prefix of it, or `latest`; raises UnknownRun and the like."""
    around = surroundings(require_project())
    run = find_run(around.repository.root, name)
    state = load(run.manifest)
    static, file = load_plan(run.plan.read_bytes(), name=str(run.plan))
    plan = make_plan(static.workflow, state.tasks) if state.tasks else static
    return Recorded(around, run, state, plan, file.own_files)


def count_changes(repository: Repository, old: str, new: str) -> Changes:
    """How many files and lines differ between two trees."""
    files = repository.changed(old, new) if old and new and old != new else ()
    return Changes(len(files), sum(f.added for f in files), sum(f.removed for f in files))


def run_ids(around: Surroundings) -> tuple[str, ...]:
    """The ids of all runs, so that a shortened one names no other."""
    return tuple(run.id for run in list_runs(around.repository.root))


def require_step(found: Recorded, step: str) -> None:
    """Raise RunError unless the run's plan has the step."""
    if step not in found.plan.by_id:
        from gumpc.nearest import nearest

        close = nearest(step, found.plan.by_id)
        hint = f"did you mean `{close}`? " if close else ""
        raise RunError(
            f"run {found.run.id[:8]} has no step `{step}`", help=f"{hint}its steps: {', '.join(found.plan.by_id)}"
        )


def width() -> int:
    """How wide a result may be: the terminal, or as wide as it needs to be elsewhere."""
    return shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 200
