"""G503, G504, G602: the files that a step reads as context must be there, and inside the repository."""

from __future__ import annotations

from posixpath import isabs, normpath

from gumpc import ir, walk
from gumpc.diagnostics import Collector
from gumpc.rules.world import World


def check(step: ir.Step, world: World, collector: Collector) -> None:
    """Report each literal context path that leaves the repository or, when there is one, is missing in it."""
    if not isinstance(step, ir.AgentStep):
        return
    for context in step.context:
        if isinstance(context, ir.FileContext) and (path := walk.literal(context.path)) is not None:
            _check_path(path, context, world, collector)


def _check_path(path: str, context: ir.FileContext, world: World, collector: Collector) -> None:
    if isabs(path) or normpath(path).split("/")[0] == "..":
        collector.add("G602", f"`{path}` leaves the repository", context.path.span, label="a path outside")
    elif world.read is not None and world.read(path) is None:
        required = context.required
        collector.add(
            "G504" if required else "G503",
            f"the context file `{path}` does not exist",
            context.path.span,
            label="required, so the run would stop here" if required else "it will be left out",
            help="create the file" + ("" if required else ", or leave it: the step runs without it"),
        )
