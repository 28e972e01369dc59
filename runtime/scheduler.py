"""What to do next: a pure function from the plan and the state to commands.

A step waits until everything it depends on has passed; its phase then says the one thing that can be done for it.
Nothing here performs anything, so a schedule can be computed, tested and explained without a repository.
"""

from __future__ import annotations

from dataclasses import dataclass

from gumpc.ir import AgentStep, Call
from gumpc.plan import Plan, PlanNode
from runtime.retry import Failure, Overrides, has_next, overrides_for
from runtime.state import Attempt, RunState, StepState


@dataclass(frozen=True, slots=True)
class Begin:
    """Decide whether the node must run; skip it or start its first attempt."""

    node: PlanNode


@dataclass(frozen=True, slots=True)
class CallAgent:
    """Run the agent for the attempt that has started."""

    node: PlanNode
    number: int
    overrides: Overrides


@dataclass(frozen=True, slots=True)
class JudgeGates:
    """Run the gates on what the attempt left."""

    node: PlanNode
    number: int


@dataclass(frozen=True, slots=True)
class Finish:
    """Store the result of the attempt that passed, and hand its tree on."""

    node: PlanNode


@dataclass(frozen=True, slots=True)
class Retry:
    """Start another attempt with these overrides."""

    node: PlanNode
    number: int
    overrides: Overrides


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The step is out of attempts."""

    node: PlanNode


@dataclass(frozen=True, slots=True)
class End:
    """Nothing is left to do; `passed` or `failed`."""

    status: str


Command = Begin | CallAgent | JudgeGates | Finish | Retry | GiveUp | End


def next_commands(plan: Plan, state: RunState) -> tuple[Command, ...]:
    """Everything that can be done now, in the plan's order; `End` alone when there is nothing more to do."""
    steps = [(node, state.peek(node.id)) for node in plan.nodes]
    if any(step.phase == "fatal" for _, step in steps):
        return (End("failed"),)
    unfinished = [(node, step) for node, step in steps if not step.is_over]
    if not unfinished:
        return (End("passed"),)
    return tuple(
        _command(node, step) for node, step in unfinished if not node.is_template and is_ready(plan, state, node)
    )


def is_ready(plan: Plan, state: RunState, node: PlanNode) -> bool:
    """True when everything that the node waits for has passed."""
    return all(state.peek(source).phase == "passed" for source in plan.predecessors[node.id])


def failure_of(attempt: Attempt) -> Failure:
    """How an attempt failed, as the retry policy sees it."""
    gates = tuple(gate.name for gate in attempt.failed_gates)
    if attempt.failure in ("guard", "verdict"):
        return Failure(attempt.failure, gates)
    return Failure("agent" if attempt.failure else "gate", gates)


def overrides_now(node: PlanNode, step: StepState) -> Overrides:
    """The overrides in force for the step's latest attempt."""
    if isinstance(node.step, Call):
        return Overrides()
    return overrides_for(node.step.retry, [failure_of(a) for a in step.attempts[:-1]])


def _command(node: PlanNode, step: StepState) -> Command:
    attempt = step.last
    if attempt is None:
        return Begin(node)
    if attempt.phase == "started":
        has_agent = isinstance(node.step, AgentStep) and node.step.agent is not None
        return CallAgent(node, attempt.number, overrides_now(node, step)) if has_agent else JudgeGates(node, 1)
    if attempt.phase == "answered" and not attempt.failure:
        return JudgeGates(node, attempt.number)
    if attempt.passed:
        return Finish(node)
    return _after_failure(node, step)


def _after_failure(node: PlanNode, step: StepState) -> Command:
    if isinstance(node.step, Call) or not has_next(node.step.retry, len(step.attempts)):
        return GiveUp(node)
    overrides = overrides_for(node.step.retry, [failure_of(a) for a in step.attempts])
    return Retry(node, len(step.attempts) + 1, overrides)
