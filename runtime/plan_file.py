"""Plans as JSON: what a run keeps of its plan, and reads back to go on without the files it was compiled from.

The file holds the IR and the tasks; nodes and edges are made again from them, so they cannot contradict each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from gumpc import ir
from gumpc.plan import Plan, make_plan
from gumpc.tasks import Task
from runtime.errors import ExitCode, RunError

VERSION = 1


class PlanFile(BaseModel):
    """The file's content. `inputs` are the values given for the run, `own_files` are paths that no key looks at."""

    version: int
    workflow: ir.Workflow
    tasks: Mapping[str, tuple[Task, ...]]
    inputs: Mapping[str, str]
    own_files: tuple[str, ...]
    agent: str | None = None


@cache
def _adapter() -> TypeAdapter[PlanFile]:
    return TypeAdapter(PlanFile)


def dump_plan(plan: Plan, *, inputs: Mapping[str, str], own_files: tuple[str, ...], agent: str | None) -> bytes:
    """The plan, and what it was given, as JSON."""
    file = PlanFile(
        version=VERSION, workflow=plan.workflow, tasks=dict(plan.tasks), inputs=inputs, own_files=own_files, agent=agent
    )
    return _adapter().dump_json(file, indent=1)


def load_plan(text: bytes, *, name: str) -> tuple[Plan, PlanFile]:
    """The plan in a file called `name`; raises RunError when the file is not one."""
    try:
        file = _adapter().validate_json(text)
    except ValidationError as error:
        first: Any = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RunError(f"{name} is not a plan: {place}: {first['msg']}", code=ExitCode.DAMAGED) from None
    return make_plan(file.workflow, file.tasks), file
