"""Steps of a called workflow, found by their path below the call: `{setup/impl.diff}` reads into what `setup` calls."""

from __future__ import annotations

from dataclasses import dataclass

from gumpc import ir
from gumpc.fields import FIELDS


@dataclass(frozen=True, slots=True)
class Inside:
    """A step of a called workflow; `path` leads to it from the call, with `ALL` or a task's name below a split."""

    step: ir.Step
    path: ir.Path

    @property
    def kind(self) -> str:
        """The row of `FIELDS`."""
        return self.step.type if isinstance(self.step, ir.AgentStep) else self.step.kind

    @property
    def fields(self) -> tuple[str, ...]:
        """What the step writes, gates aside."""
        return FIELDS[self.kind]

    @property
    def gates(self) -> tuple[str, ...]:
        """The names of its gates."""
        return () if isinstance(self.step, ir.Call) else tuple(gate.name for gate in self.step.gates)


def find_inside(workflow: ir.Workflow, segments: tuple[str, ...]) -> Inside | None:
    """The step at `segments`, or None when they lead to no step."""
    steps, waiting = workflow.steps, list(segments)
    path: ir.Path = ()
    found: ir.Step | None = None
    while waiting:
        name = waiting.pop(0)
        found = next((s for s in steps if s.path[-1] == name), None)
        if found is None:
            return None
        path = (*path, name)
        steps = _below(found)
        if waiting and isinstance(found, ir.AgentStep) and found.each:
            path = (*path, waiting.pop(0))
            found = None
    return Inside(found, path) if found else None


def _below(step: ir.Step) -> tuple[ir.Step, ...]:
    match step:
        case ir.AgentStep():
            return step.each
        case ir.Group():
            return step.steps
        case ir.Call():
            return step.call.workflow.steps
        case _:
            return ()
