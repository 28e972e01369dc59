"""Rules that look at a resolved workflow and, when there is one, at the repository around it; one file each.

They are listed here by hand, so that the list is the documentation of what is checked and in which order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gumpc import ir, walk
from gumpc.config import Config
from gumpc.diagnostics import Collector


@dataclass(frozen=True, slots=True)
class World:
    """What rules may look at. `read` gives a file of the repository; it is None where there is no repository."""

    config: Config
    read: Callable[[str], str | None] | None = None


Rule = Callable[[ir.Step, World, Collector], None]


def all_rules() -> tuple[Rule, ...]:
    """Every rule, in the order in which they run."""
    from gumpc.rules import agents, context_files, gate_commands, globs, validators

    return (agents.check, globs.check, validators.check, context_files.check, gate_commands.check)


def run_rules(workflow: ir.Workflow, world: World, collector: Collector) -> None:
    """Apply every rule to every step of the workflow and of the workflows it calls."""
    rules = all_rules()
    for called in _reachable(workflow):
        for step in walk.steps(called):
            for rule in rules:
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
