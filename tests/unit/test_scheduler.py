"""The scheduler: from a plan and a state to what is done next, by hand-made states and without a repository."""

from __future__ import annotations

import pytest

from gumpc import ir
from gumpc.plan import Plan, make_plan
from gumpc.source import Span
from gumpc.tasks import Task
from runtime.gates.verdict import Verdict
from runtime.retry import Failure
from runtime.scheduler import Begin, CallAgent, End, Finish, GiveUp, JudgeGates, Retry, failure_of, next_commands
from runtime.state import Attempt, RunState

HERE = Span("w.yaml", 1, 1, 1, 1)


def text(value: str) -> ir.Template:
    return ir.Template((ir.Text(value),), HERE)


def agent_step(*path: str, type: ir.StepType = "code", attempts: int = 1, **more: object) -> ir.AgentStep:
    return ir.AgentStep(
        path=path,
        type=type,
        prompt=text("do it"),
        agent=text("offline"),
        worktree="read-write" if type == "code" else "read-only",
        session=ir.Session("new"),
        guard=ir.Guard(),
        gates=(),
        retry=ir.RetryPolicy(attempts),
        span=HERE,
        **more,  # type: ignore[arg-type]
    )


def plan(*steps: ir.Step, tasks: dict[str, tuple[Task, ...]] | None = None) -> Plan:
    return make_plan(ir.Workflow("w", steps, ir.Limits(), (), "w.yaml", HERE), tasks)


def commands(plan: Plan, state: RunState) -> list[tuple[str, str]]:
    return [(type(c).__name__, c.status if isinstance(c, End) else c.node.id) for c in next_commands(plan, state)]


def started(state: RunState, step: str, **attempt: object) -> Attempt:
    """A step that is running, with one attempt."""
    made = Attempt(1, "offline", "tree", 0, **attempt)  # type: ignore[arg-type]
    state.step(step).phase = "running"
    state.step(step).attempts.append(made)
    return made


ONE = plan(agent_step("a"))


@pytest.mark.parametrize(
    ("attempt", "command"),
    [
        ({}, CallAgent),
        ({"phase": "answered"}, JudgeGates),
        ({"phase": "judged"}, Finish),
        ({"phase": "answered", "failure": "guard"}, GiveUp),
        ({"phase": "judged", "gates": (Verdict("test", "test", False),)}, GiveUp),
    ],
)
def test_each_phase_of_an_attempt_has_its_command(attempt: dict[str, object], command: type):
    state = RunState()
    started(state, "a", **attempt)
    assert [type(c) for c in next_commands(ONE, state)] == [command]


def test_a_failed_attempt_is_followed_by_the_next_while_there_are_any():
    state = RunState()
    started(state, "a", phase="answered", failure="agent")
    (retry,) = next_commands(plan(agent_step("a", attempts=2)), state)
    assert isinstance(retry, Retry)
    assert retry.number == 2


def test_a_gate_step_calls_nobody():
    gate = ir.GateStep(("g",), (), HERE)
    state = RunState()
    assert commands(plan(gate), state) == [("Begin", "g")]
    started(state, "g")
    assert commands(plan(gate), state) == [("JudgeGates", "g")]


def test_a_step_waits_for_the_one_whose_tree_it_takes():
    two, state = plan(agent_step("a"), agent_step("b")), RunState()
    assert commands(two, state) == [("Begin", "a")]
    state.step("a").phase = "passed"
    assert commands(two, state) == [("Begin", "b")]
    state.step("b").phase = "passed"
    assert commands(two, state) == [("End", "passed")]


def test_a_fatal_step_ends_the_run():
    state = RunState()
    state.step("a").phase = "fatal"
    assert commands(plan(agent_step("a"), agent_step("b")), state) == [("End", "failed")]


def test_tasks_are_begun_once_they_are_known():
    inner = agent_step("s", ir.EACH, "i", task_of=("s",))
    split, state = agent_step("s", type="split", each=(inner,)), RunState()
    assert commands(plan(split), state) == [("Begin", "s")]
    state.step("s").phase = "passed"
    known = plan(split, tasks={"s": (Task("one", "d"), Task("two", "d"))})
    assert commands(known, state) == [("Begin", "s/one/i")]
    assert commands(plan(split, tasks={"s": ()}), state) == [("End", "passed")]


@pytest.mark.parametrize(
    ("attempt", "failure"),
    [
        ({"failure": "guard"}, Failure("guard")),
        ({"failure": "verdict"}, Failure("verdict")),
        ({"failure": "output"}, Failure("agent")),
        ({"failure": "network"}, Failure("agent")),
        ({"gates": (Verdict("a", "bash", True), Verdict("b", "bash", False))}, Failure("gate", ("b",))),
    ],
)
def test_how_an_attempt_failed(attempt: dict[str, object], failure: Failure):
    assert failure_of(Attempt(1, "offline", "tree", 0, **attempt)) == failure  # type: ignore[arg-type]


def test_begin_is_what_a_waiting_step_gets():
    assert isinstance(next_commands(ONE, RunState())[0], Begin)
