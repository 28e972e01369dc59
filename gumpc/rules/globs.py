"""G508: the globs of gates and inputs must be well formed."""

from __future__ import annotations

from gumpc import ir
from gumpc.diagnostics import Collector
from gumpc.globs import check_glob
from gumpc.rules.world import World
from gumpc.source import Span


def check(step: ir.Step, world: World, collector: Collector) -> None:
    """Report each glob that can match nothing because it is malformed."""
    if isinstance(step, ir.Call):
        return
    places: list[tuple[str, Span]] = [(glob, gate.span) for gate in step.gates for glob in gate.globs]
    if isinstance(step, ir.AgentStep):
        places += [(glob, step.span) for glob in step.inputs]
    for glob, span in places:
        if why := check_glob(glob):
            collector.add("G508", f"`{glob}` is not a glob: {why}", span, label="bad glob")
