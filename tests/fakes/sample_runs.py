"""Runs as sequences of events, told step by step, for whatever shows or folds them.

A `Tape` writes the events that the executor would append, with the time of each, so that a test gets its state from
`RunState.apply` and from nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from gumpc import ir
from gumpc.compiler import compile_workflow
from gumpc.config_types import Config
from gumpc.library import Found, Library
from gumpc.plan import Plan, make_plan
from gumpc.rules.world import World
from gumpc.tasks import Task
from runtime import events as ev
from runtime.agents.protocol import AgentEvent, Said, Spent, ToolUsed, Turn, Usage, Wrote
from runtime.gates.verdict import Verdict
from runtime.state import RunState

RUN = "0193f2b7-1111-7abc-8def-000000000001"
BEFORE = "0193f2a1-2222-7abc-8def-000000000002"
STARTED_MS = 1_795_269_720_000
"""21 November 2026, 14:02 UTC."""

TDD = """
name: tdd
max_budget: 8.00
steps:
  - name: decompose
    type: split
    get: {prompt: "Split {spec}"}
    run: {agent: claude-opus, guard: {max_budget: 3.00}}
    gate: [schema]
    each:
      - name: red
        type: code
        get: {prompt: "Tests for {task.description}"}
        run: {agent: claude-haiku, guard: {max_budget: 1.00}}
        gate: [compile, tests_found]
        retry:
          - exit: 2
      - name: green
        type: code
        get: {prompt: "Implement {task.description}"}
        run: {agent: claude-haiku, guard: {max_turns: 60, max_budget: 2.00}}
        gate: [compile, test, {untouched: "test_*"}]
        retry:
          - attempt: 3
            agent: claude-sonnet
            session: new
          - exit: 5
  - name: quality
    gate: [compile, lint, test]
"""

LONG = """
name: long
steps:
  - name: refactor-the-authentication-of-every-service-and-its-clients
    type: code
    get: {prompt: "Do {spec}"}
    run: {agent: claude-sonnet}
    gate: [compile, test]
  - name: quality
    gate: [compile, lint, test]
"""

TASKS = (Task("auth", "sign in", ("src/auth.py",)), Task("cart", "a cart", ("src/cart.py",), ("auth",)))
LONG_TASKS = (Task("会計", "計算"), Task("payments-of-subscriptions-that-were-cancelled-in-the-past-year", "pay"))


@cache
def workflow(text: str) -> ir.Workflow:
    """The IR of a workflow's text."""
    library = Library(root=None, home=None, shown_from=Path("/"))
    found = Found("sample.yaml", None, text.encode())
    result = compile_workflow(found, library=library, config=Config(), world=World(Config(), None))
    assert result.workflow is not None, result.diagnostics
    return result.workflow


def plan_of(text: str, tasks: tuple[Task, ...] | None = None) -> Plan:
    """The plan, with the tasks of the split called `decompose` if they are known."""
    return make_plan(workflow(text), {"decompose": tasks} if tasks is not None else {})


def fold(moments: list[tuple[int, ev.Event | Heard]]) -> RunState:
    """The state that the events on a tape amount to."""
    state = RunState()
    for at_ms, item in moments:
        if not isinstance(item, Heard):
            state.apply(item, at_ms=at_ms)
    return state


@dataclass(frozen=True, slots=True)
class Heard:
    """An event of an agent's stream while it works on a step."""

    step: str
    event: AgentEvent


@dataclass(slots=True)
class Tape:
    """Events so far with their times; every method adds what the executor would record."""

    at_ms: int = STARTED_MS
    moments: list[tuple[int, ev.Event | Heard]] = field(default_factory=list)
    attempt: int = 1

    @property
    def state(self) -> RunState:
        """The fold of it all."""
        return fold(self.moments)

    def add(self, item: ev.Event | Heard, *, after: float = 0) -> Tape:
        """One event, `after` seconds from the one before."""
        self.at_ms += round(after * 1000)
        self.moments.append((self.at_ms, item))
        return self

    def start(self, name: str = "tdd", *, max_budget: float | None = 8.0, **limits: float | int) -> Tape:
        """The run begins."""
        commit = "4f2c1e9" + "0" * 33
        return self.add(
            ev.RunStarted(RUN, name, "spec.md", commit, "main", "t0", max_budget=max_budget, **limits)  # type: ignore[arg-type]
        )

    def skip(self, step: str, kind: str, agent: str, *, saved: float | None, gates: tuple[Verdict, ...] = ()) -> Tape:
        """A stored result stands in for a step."""
        skipped = ev.StepSkipped(
            step, kind, agent, "k" * 64, BEFORE, "t0", "t0", {}, gates, saved_usd=saved, saved_ms=62_000
        )
        return self.add(skipped, after=0.02)

    def skip_gates(self, step: str, *names: str) -> Tape:
        """A gate step whose verdicts are known."""
        return self.add(ev.StepSkipped(step, "gate", "", "", "", "t0", "t0", {}, passed(*names)), after=0.02)

    def tasks(self, step: str, tasks: tuple[Task, ...]) -> Tape:
        """What a split produced."""
        return self.add(ev.StateUpdated(step, {}, tasks))

    def begin(
        self, step: str, kind: str, agent: str, *, reason: str = "new", number: int = 1, session: str = "new"
    ) -> Tape:
        """An attempt starts and its agent is launched."""
        self.attempt = number
        said = reason if number == 1 else ""
        self.add(ev.StepStarted(step, agent, kind, number, session, "t0", "t0", "k" * 64, reason=said), after=0.05)
        if agent:
            folder = f"artifacts/{step}/attempt-{number}"
            self.add(ev.AgentLaunched(step, number, agent, "claude", "/slot", "", "h", folder), after=0.1)
        return self

    def work(self, step: str, *, turns: int = 3, cost: float | None = 0.05, seconds: float = 9) -> Tape:
        """The agent talks, reads, writes and runs things."""
        doing = [
            (Said("I'll look"), ToolUsed("Read")),
            (ToolUsed("Write", path="src/auth.py"), Wrote("src/auth.py")),
            (ToolUsed("Bash", command="pytest -q\n  --maxfail=1"),),
        ]
        for turn in range(1, turns + 1):
            pause = seconds / turns / 2
            self.add(Heard(step, Turn()), after=pause)
            self.add(ev.TurnCompleted(step, self.attempt, turn, Usage(100 * turn, 10 * turn), None))
            for event in doing[turn % len(doing)]:
                self.add(Heard(step, event), after=pause / 2)
            share = None if cost is None else cost * turn / turns
            self.add(Heard(step, Spent(Usage(100 * turn, 10 * turn), share)))
        return self

    def answer(
        self,
        step: str,
        *,
        cost: float | None = 0.11,
        turns: int = 12,
        seconds: float = 62,
        failure: str = "",
        message: str = "",
    ) -> Tape:
        """The agent's call ends."""
        usage = Usage(30_000, 8_000, 85_000, 5_000)
        completed = ev.AgentCompleted(
            step, self.attempt, "t1", 0, round(seconds * 1000), usage, cost, turns, f"session-{self.attempt}",
            model="claude-x", failure=failure, message=message, first_write_ms=38_000, is_error=bool(failure),
        )  # fmt: skip
        return self.add(completed, after=seconds)

    def judge(self, step: str, *verdicts: Verdict, seconds: float = 3) -> Tape:
        """The gates judge the attempt."""
        failed = [v for v in verdicts if not v.passed]
        self.add(ev.GateStarted(step, self.attempt, tuple(v.name for v in verdicts)), after=0.1)
        if failed:
            reason = f"{failed[0].name}: {failed[0].error.splitlines()[0]}"
            return self.add(ev.GateFailed(step, self.attempt, verdicts, reason), after=seconds)
        return self.add(ev.GatePassed(step, self.attempt, verdicts), after=seconds)

    def retry(
        self, step: str, kind: str, agent: str, *, session: str = "own", overrides: dict[str, str] | None = None
    ) -> Tape:
        """Another attempt follows, by `agent`."""
        number = self.attempt + 1
        self.add(ev.RetryTriggered(step, number, "see the gates", overrides or {}))
        return self.begin(step, kind, agent, number=number, session=session)

    def complete(self, step: str, kind: str, *, status: str = "pass", seconds: float) -> Tape:
        """The step is over."""
        done = ev.StepCompleted(step, status, kind, round(seconds * 1000), "t1", "c1", self.attempt)
        return self.add(done, after=0.05)

    def end(self, status: str = "passed") -> Tape:
        """The run is over."""
        state = self.state
        return self.add(ev.RunCompleted(RUN, status, state.duration_ms, state.cost, "t1", "c2"))


def passed(*names: str) -> tuple[Verdict, ...]:
    """Verdicts of gates that passed."""
    return tuple(Verdict(name, name, True, seconds=1.2, command=f"make {name}") for name in names)


def failed(name: str, error: str) -> Verdict:
    """The verdict of a gate that did not pass."""
    return Verdict(name, name, False, error=error, seconds=4.0, command=f"make {name}")


TEST_ERROR = """2 failed in tests/test_auth.py
FAILED tests/test_auth.py::test_sign_in - AssertionError: assert 401 == 200
FAILED tests/test_auth.py::test_sign_out - AssertionError: assert None is True
E   in this line there is a \x1b[31mcolour\x1b[0m that the tool printed, and it goes on and on beyond eighty columns
a fifth line
a sixth line
a seventh line
an eighth line"""


def one_code_step(tape: Tape, step: str, agent: str = "claude-haiku", *, cost: float | None = 0.08) -> Tape:
    """A code step that passes on its first attempt."""
    tape.begin(step, "code", agent).work(step).answer(step, cost=cost)
    return tape.judge(step, *passed("compile", "tests_found")).complete(step, "code", seconds=70)


def retried_code_step(tape: Tape, step: str) -> Tape:
    """A code step that fails twice, is escalated, and passes."""
    tape.begin(step, "code", "claude-haiku", reason="prompt changed (line 23)").work(step).answer(step)
    tape.judge(step, *passed("compile"), failed("test", TEST_ERROR), *passed("untouched"))
    tape.retry(step, "code", "claude-haiku").work(step).answer(step, cost=0.05, turns=9)
    tape.judge(step, *passed("compile"), failed("test", "1 failed in tests/test_auth.py"), *passed("untouched"))
    overrides = {"agent": "claude-sonnet", "session": "new"}
    tape.retry(step, "code", "claude-sonnet", session="new", overrides=overrides).work(step).answer(
        step, cost=0.28, turns=10
    )
    return tape.judge(step, *passed("compile", "test", "untouched")).complete(step, "code", seconds=192)


def started() -> Tape:
    """The split and the first step are skipped."""
    tape = Tape().start().skip("decompose", "split", "claude-opus", saved=0.31, gates=passed("schema"))
    tape.tasks("decompose", TASKS)
    return tape.skip("decompose/auth/red", "code", "claude-haiku", saved=0.08, gates=passed("compile", "tests_found"))


def escalated() -> Tape:
    """A whole run that passes, with retries and an escalation."""
    tape = one_code_step(retried_code_step(started(), "decompose/auth/green"), "decompose/cart/red")
    one_code_step(tape, "decompose/cart/green", cost=0.19)
    tape.begin("quality", "gate", "")
    skipped = Verdict("lint", "lint", True, skipped="ruff is not installed")
    tape.judge("quality", *passed("compile"), skipped, *passed("test"), seconds=14)
    return tape.complete("quality", "gate", seconds=14).end()


def running() -> Tape:
    """The run is on its second attempt at a step, and an agent is working."""
    tape = started()
    step = "decompose/auth/green"
    tape.begin(step, "code", "claude-haiku", reason="prompt changed (line 23)").work(step).answer(step)
    tape.judge(step, failed("test", TEST_ERROR)).retry(step, "code", "claude-haiku")
    return tape.work(step, turns=2)


def unpriced() -> Tape:
    """An agent whose price nobody knows, then one with a price."""
    tape = one_code_step(
        Tape().start().skip("decompose", "split", "claude-opus", saved=None), "decompose/auth/red", cost=None
    )
    tape.moments.insert(2, (tape.moments[1][0], ev.StateUpdated("decompose", {}, TASKS)))
    return one_code_step(tape, "decompose/auth/green", cost=1.20)


def gate_failed() -> Tape:
    """A step is out of attempts."""
    tape = started()
    step = "decompose/auth/green"
    tape.begin(step, "code", "claude-haiku").work(step).answer(step).judge(step, failed("test", TEST_ERROR))
    tape.retry(step, "code", "claude-haiku").answer(step).judge(step, *passed("compile"), failed("test", TEST_ERROR))
    tape.add(ev.CircuitBreaker(step, "step", "test: 2 failed", 2))
    return tape.complete(step, "code", status="fatal", seconds=130).end("failed")


def guarded() -> Tape:
    """A guard ends the only attempt."""
    step = "decompose/auth/green"
    tape = started().begin(step, "code", "claude-haiku").work(step)
    reason = "its max_turns was passed: 61 of 60 turns"
    tape.add(ev.GuardTriggered(step, 1, "max_turns", reason), after=5)
    tape.add(ev.AgentKilled(step, 1, reason, 40_000, Usage(900, 90), 0.4, 61, "session-1"))
    return tape.complete(step, "code", status="fatal", seconds=41).end("failed")


def paused() -> Tape:
    """The agent is not logged in."""
    step = "decompose/auth/green"
    tape = started().begin(step, "code", "claude-haiku")
    message = "not logged in: run `claude` once and log in, or set ANTHROPIC_API_KEY"
    tape.add(ev.AgentKilled(step, 1, message, 900, Usage(), 0.0, 0, in_flight=True), after=1)
    return tape.add(ev.RunPaused(RUN, "auth", message, step))


def interrupted() -> Tape:
    """Ctrl-C while an agent works."""
    step = "decompose/auth/green"
    tape = started().begin(step, "code", "claude-haiku").work(step)
    tape.add(ev.AgentKilled(step, 1, "interrupted", 9000, Usage(300, 30), 0.05, 3, in_flight=True), after=1)
    return tape.add(ev.RunPaused(RUN, "interrupted", "interrupted by the user"))


def over_budget() -> Tape:
    """The run's budget is passed while an agent works."""
    step = "decompose/auth/green"
    tape = started().begin(step, "code", "claude-haiku").work(step)
    reason = "the run's max_budget was passed: 8.02 of 8.00 USD"
    tape.add(ev.GuardTriggered(step, 1, "max_budget", reason), after=5)
    tape.add(ev.AgentKilled(step, 1, reason, 40_000, Usage(900, 90), 8.02, 17, "session-1"))
    tape.add(ev.BudgetExceeded(step, "max_budget", 8.0, 8.02))
    return tape.end("failed")


def up_to_date() -> Tape:
    """Nothing is left to do."""
    tape = started()
    for step in ("decompose/auth/green", "decompose/cart/red", "decompose/cart/green"):
        tape.skip(step, "code", "claude-haiku", saved=0.2, gates=passed("compile", "test"))
    return tape.skip_gates("quality", "compile", "lint", "test").end()


def long_names() -> Tape:
    """Tasks whose names are wide or long."""
    tape = Tape().start().begin("decompose", "split", "claude-opus").work("decompose").answer("decompose", cost=0.31)
    tape.judge("decompose", *passed("schema")).tasks("decompose", LONG_TASKS).complete("decompose", "split", seconds=66)
    one_code_step(tape, "decompose/会計/red")
    retried_code_step(tape, "decompose/会計/green")
    one_code_step(tape, f"decompose/{LONG_TASKS[1].name}/red")
    tape.add(
        ev.StepWarned(
            f"decompose/{LONG_TASKS[1].name}/red",
            "the context file `docs/architecture.md` does not exist; it is left out",
        )
    )
    return tape


RUNS = {
    make.__name__: make
    for make in (
        running, escalated, unpriced, gate_failed, guarded, paused, interrupted, over_budget, up_to_date, long_names
    )
}  # fmt: skip
"""Every sample run by name."""


def plan_for(name: str) -> Plan:
    """The plan that belongs to a sample run, as it is at its end."""
    return plan_of(TDD, LONG_TASKS if name == "long_names" else TASKS)


def plans_along(tape: Tape) -> Iterator[tuple[int, ev.Event | Heard, RunState, Plan]]:
    """Each moment with the state after it, and the plan as it is known then."""
    state = RunState()
    for at_ms, item in tape.moments:
        if not isinstance(item, Heard):
            state.apply(item, at_ms=at_ms)
        yield at_ms, item, state, make_plan(workflow(TDD), state.tasks)
