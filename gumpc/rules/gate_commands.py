"""G505: a compile or test gate must have a command in this repository."""

from __future__ import annotations

from dataclasses import replace

from gumpc import ir
from gumpc.diagnostics import Collector, Note
from gumpc.gate_commands import MARKERS, REQUIRED, Read, resolve
from gumpc.rules.world import World


def check(step: ir.Step, world: World, collector: Collector) -> None:
    """Report each compile and test gate for which neither the config nor a marker file gives a command."""
    if isinstance(step, ir.Call) or world.read is None:
        return
    for gate in step.gates:
        if gate.kind in REQUIRED and not _has_command(gate.kind, world.read, world):
            _report(gate, collector)


def _has_command(kind: str, read: Read, world: World) -> bool:
    return resolve(kind, configured=world.config.validation.commands, read=read) is not None


def _report(gate: ir.Gate, collector: Collector) -> None:
    """Report the first gate of its kind; the others lack the same command, so they are notes on it."""
    message = f"the gate `{gate.kind}` has no command in this repository"
    for index, told in enumerate(collector.found):
        if told.code == "G505" and told.message == message:
            note = Note("the same holds for this gate", gate.span)
            collector.found[index] = replace(told, notes=(*told.notes, note))
            return
    collector.add(
        "G505",
        message,
        gate.span,
        label="nothing says how",
        help=f"set {gate.kind}_cmd under [validation] in gump.toml, or add one of: {', '.join(MARKERS)}",
    )
