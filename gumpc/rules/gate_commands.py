"""G505: a compile or test gate must have a command in this repository."""

from __future__ import annotations

from gumpc import ir
from gumpc.diagnostics import Collector
from gumpc.gate_commands import MARKERS, REQUIRED, resolve
from gumpc.rules.world import World


def check(step: ir.Step, world: World, collector: Collector) -> None:
    """Report each compile and test gate for which neither the config nor a marker file gives a command."""
    if isinstance(step, ir.Call) or world.read is None:
        return
    for gate in step.gates:
        if (
            gate.kind in REQUIRED
            and resolve(gate.kind, configured=world.config.validation.commands, read=world.read) is None
        ):
            collector.add(
                "G505",
                f"the gate `{gate.kind}` has no command in this repository",
                gate.span,
                label="nothing says how",
                help=f"set {gate.kind}_cmd under [validation] in gump.toml, or add one of: {', '.join(MARKERS)}",
            )
