"""The rules, listed by hand: what is checked against the configuration and the repository, and in which order."""

from __future__ import annotations

from collections.abc import Iterator

from gumpc import ir, walk
from gumpc.diagnostics import Collector
from gumpc.rules import agents, context_files, gate_commands
from gumpc.rules.world import Rule, World

ALL_RULES: tuple[Rule, ...] = (
    agents.check,
    context_files.check,
    gate_commands.check,
)


def run_rules(workflow: ir.Workflow, world: World, collector: Collector) -> None:
    """Apply every rule to every step of the workflow and of the workflows it calls."""
    for called in _reachable(workflow):
        for step in walk.steps(called):
            for rule in ALL_RULES:
                rule(step, world, collector)


def _reachable(workflow: ir.Workflow) -> Iterator[ir.Workflow]:
    seen = {workflow.file}
    waiting = [workflow]
    while waiting:
        current = waiting.pop(0)
        yield current
        for step in walk.steps(current):
            for call in walk.invocations(step):
                if call.workflow.file not in seen:
                    seen.add(call.workflow.file)
                    waiting.append(call.workflow)
