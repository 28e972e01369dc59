"""What a report shows, folded from a run's state and so from its ledger alone: one row per step, and the sums.

The plan gives the order of the rows and the steps that were never reached; every figure comes from the state.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from gumpc.plan import Plan, PlanNode
from gumpc.values import first_line
from runtime.agents.protocol import Usage
from runtime.gates.verdict import Verdict
from runtime.report.columns import clean
from runtime.report.naming import is_shown
from runtime.state import Attempt, RunState, StepState


@dataclass(frozen=True, slots=True)
class Changes:
    """The change that a run made: files, and lines added and removed."""

    files: int = 0
    added: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of a report; `node` is None for a step that the plan at hand does not hold."""

    state: StepState
    node: PlanNode | None

    @property
    def turns(self) -> int:
        """Turns over all attempts."""
        return sum(a.turns for a in self.state.attempts)

    @property
    def first_write_ms(self) -> int | None:
        """How long the first attempt that wrote a file took to do so."""
        return next((a.first_write_ms for a in self.state.attempts if a.first_write_ms is not None), None)

    @property
    def duration_ms(self) -> int:
        """Time from the step's start to its end, or the agents' time while it is not over."""
        return self.state.duration_ms or sum(a.duration_ms for a in self.state.attempts)

    @property
    def has_agent(self) -> bool:
        """True when an agent works on this step."""
        return bool(self.state.agent)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a run's steps. `skipped` are those that a stored result or verdict stood in for."""

    steps: int
    over: int
    skipped: int
    retries: int
    escalations: int
    guards: int
    turns: int
    usage: Usage


def rows_of(plan: Plan, state: RunState) -> tuple[StepRow, ...]:
    """A row per step, in the plan's order; then what the ledger knows and the plan does not."""
    nodes = [node for node in plan.nodes if is_shown(node) and not _is_superseded(node, state)]
    rows = [StepRow(state.peek(node.id), node) for node in nodes]
    known = {node.id for node in plan.nodes}
    rows += [StepRow(step, None) for step in state.steps.values() if step.id not in known and _happened(step)]
    return tuple(rows)


def totals_of(plan: Plan, state: RunState) -> Totals:
    """What the rows add up to."""
    rows = rows_of(plan, state)
    steps = [row.state for row in rows]
    return Totals(
        steps=len(rows),
        over=sum(s.is_over for s in steps),
        skipped=sum(s.cached for s in steps),
        retries=sum(max(0, len(s.attempts) - 1) for s in steps),
        escalations=sum(one.agent != other.agent for s in steps for one, other in pairwise(s.attempts)),
        guards=sum(bool(a.guard) for s in steps for a in s.attempts),
        turns=sum(row.turns for row in rows),
        usage=state.usage,
    )


def failed_step(plan: Plan, state: RunState) -> StepState | None:
    """The first step that ended fatally, if one did."""
    return next((row.state for row in rows_of(plan, state) if row.state.phase == "fatal"), None)


def running_steps(plan: Plan, state: RunState) -> Iterator[StepState]:
    """The steps that were begun and are not over."""
    return (row.state for row in rows_of(plan, state) if row.state.phase == "running")


def why_failed(attempt: Attempt) -> str:
    """Why an attempt did not pass, on one line: the first failed gate, or what the agent's call came to."""
    for gate in attempt.failed_gates:
        return f"{gate.name}: {clean(first_line(gate.error or gate.comments)) or 'failed'}"
    return clean(first_line(attempt.message)) or attempt.failure


def what_failed(attempt: Attempt) -> str:
    """What it was that did not go well in an attempt, without the details."""
    for gate in attempt.failed_gates:
        return f"gate {gate.name} failed"
    return f"stopped by guard {attempt.guard}" if attempt.guard else f"agent failed: {attempt.failure or 'unknown'}"


def error_lines(attempt: Attempt) -> list[str]:
    """All that was said of the failure, line by line."""
    for gate in attempt.failed_gates:
        return text_lines(gate.error or gate.comments)
    return text_lines(attempt.message)


def text_lines(text: str) -> list[str]:
    """The lines of a text that say something, ready to be shown."""
    return [shown for line in text.splitlines() if (shown := clean(line.expandtabs(4)).rstrip())]


def gate_mark(verdict: Verdict) -> str:
    """`✓`, `✗`, or `skipped`."""
    return "skipped" if verdict.skipped else "✓" if verdict.passed else "✗"


def _is_superseded(node: PlanNode, state: RunState) -> bool:
    """True for a template of a split whose tasks are known by now."""
    return node.is_template and any(split in state.tasks for split, _ in node.tasks)


def _happened(step: StepState) -> bool:
    return bool(step.id) and step.kind not in ("", "call", "group", "merge")
