"""G507: what a gate calls must end in a validate step, because its verdict is the gate's."""

from __future__ import annotations

from gumpc import ir
from gumpc.diagnostics import Collector, Note
from gumpc.rules.world import World


def check(step: ir.Step, world: World, collector: Collector) -> None:
    """Report each `validate` gate or retry condition whose workflow ends in anything else."""
    if isinstance(step, ir.Call):
        return
    called = [(gate.call, gate.span) for gate in step.gates] + [(e.call, e.span) for e in step.retry.entries]
    for call, span in called:
        if call is None or not call.workflow.steps:
            continue
        last = call.workflow.steps[-1]
        if not (isinstance(last, ir.AgentStep) and last.type == "validate"):
            collector.add(
                "G507",
                f"`{call.workflow.name}` gives no verdict: its last step is not a validate step",
                span,
                notes=[Note("its last step is here", last.span)],
                help="end it with a step of `type: validate`",
            )
