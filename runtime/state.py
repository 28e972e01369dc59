"""The state of a run: a fold over its events, and the only place where one changes.

A step goes through these phases, and the scheduler acts on nothing else:

    waiting ── skipped (a stored result stands in) ───────────────────────────▶ passed
       └─────▶ running ── attempt: started ▶ answered ▶ judged ── passed ─────▶ passed
                              ▲                           └────── failed ──┐
                              └──────────── retry ◀───────────────────────┤
                                                                           └──▶ fatal

An attempt is `started` while its agent may be running, `answered` once the agent has ended (well or not) and `judged`
once its gates have been heard. A process that dies leaves the phase on disk, and the next one goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gumpc.tasks import Task
from runtime import events as ev
from runtime.agents.protocol import Usage
from runtime.gates.verdict import Verdict

AttemptPhase = Literal["started", "answered", "judged"]
StepPhase = Literal["waiting", "running", "passed", "fatal"]


@dataclass(slots=True)
class Attempt:
    """One attempt. `failure` is the kind of what went wrong, empty while nothing did; `message` says it in words.

    `launched` is the artifact folder once the agent's process was about to start.
    """

    number: int
    agent: str
    tree: str
    started_ms: int
    phase: AttemptPhase = "started"
    launched: str = ""
    tree_out: str = ""
    session_id: str = ""
    model: str = ""
    failure: str = ""
    message: str = ""
    reason: str = ""
    overrides: Mapping[str, str] = field(default_factory=dict)
    gates: tuple[Verdict, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    cost: float | None = 0.0
    turns: int = 0
    live_turns: int = 0
    live_cost: float | None = 0.0
    duration_ms: int = 0
    ended_ms: int = 0
    first_write_ms: int | None = None
    guard: str = ""
    signature: str = ""

    @property
    def passed(self) -> bool:
        """True when the agent ended well and every gate passed."""
        return self.phase == "judged" and not self.failure and all(g.passed for g in self.gates)

    @property
    def failed_gates(self) -> tuple[Verdict, ...]:
        """The gates that did not pass."""
        return tuple(g for g in self.gates if not g.passed)


@dataclass(slots=True)
class StepState:
    """One step. `tree_in` and `tree` are what it started from and what it hands on."""

    id: str
    phase: StepPhase = "waiting"
    kind: str = ""
    cached: bool = False
    key: str = ""
    reason: str = ""
    agent: str = ""
    tree_in: str = ""
    tree: str = ""
    commit: str = ""
    attempts: list[Attempt] = field(default_factory=list)
    overrides: Mapping[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    gates: tuple[Verdict, ...] = ()
    warnings: list[str] = field(default_factory=list)
    from_run: str = ""
    saved: float | None = None
    saved_ms: int = 0
    duration_ms: int = 0
    started_ms: int = 0
    killed_cost: float | None = 0.0
    killed_usage: Usage = field(default_factory=Usage)

    @property
    def is_over(self) -> bool:
        """True when nothing more happens to it."""
        return self.phase in ("passed", "fatal")

    @property
    def last(self) -> Attempt | None:
        """The latest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def cost(self) -> float | None:
        """USD over all attempts; None when any part has no price."""
        return added([self.killed_cost, *(a.cost for a in self.attempts)])

    @property
    def usage(self) -> Usage:
        """Tokens over all attempts."""
        return sum((a.usage for a in self.attempts), self.killed_usage)

    @property
    def session_id(self) -> str:
        """The session in which the step ended."""
        return self.values.get("session_id", "")


@dataclass(slots=True)
class RunState:
    """One run: what is known of it from its events so far. Times are milliseconds since 1970."""

    id: str = ""
    workflow: str = ""
    spec: str = ""
    commit: str = ""
    branch: str = ""
    tree: str = ""
    status: str = "running"
    paused: str = ""
    message: str = ""
    started_ms: int = 0
    now_ms: int = 0
    active_ms: int = 0
    resumed_ms: int = 0
    max_budget: float | None = None
    max_timeout: float | None = None
    max_tokens: int | None = None
    from_step: str = ""
    forced: bool = False
    result_tree: str = ""
    result_commit: str = ""
    limit: str = ""
    steps: dict[str, StepState] = field(default_factory=dict)
    tasks: dict[str, tuple[Task, ...]] = field(default_factory=dict)
    events: int = 0

    def step(self, id: str) -> StepState:
        """The state of a step; one that nothing was heard of yet is waiting."""
        if id not in self.steps:
            self.steps[id] = StepState(id)
        return self.steps[id]

    def peek(self, id: str) -> StepState:
        """Like `step`, but leaves no trace."""
        return self.steps.get(id) or StepState(id)

    @property
    def cost(self) -> float | None:
        """USD spent by all steps; None when any part has no price."""
        return added([s.cost for s in self.steps.values()])

    @property
    def priced_cost(self) -> float:
        """USD spent, as far as prices are known: a lower bound when something is unpriced."""
        return sum(part or 0.0 for s in self.steps.values() for part in (s.killed_cost, *(a.cost for a in s.attempts)))

    @property
    def usage(self) -> Usage:
        """Tokens of all steps."""
        return sum((s.usage for s in self.steps.values()), Usage())

    @property
    def saved(self) -> float:
        """USD that skipped steps cost when they ran."""
        return sum(s.saved or 0.0 for s in self.steps.values())

    @property
    def duration_ms(self) -> int:
        """Time in which a process worked on the run; pauses between processes do not count."""
        return self.active_ms + max(0, self.now_ms - self.resumed_ms)

    def apply(self, event: ev.Event, *, at_ms: int) -> None:
        """Take one event in."""
        self.events += 1
        if not isinstance(event, ev.RunResumed):
            self.now_ms = max(self.now_ms, at_ms)
        _APPLY[type(event)](self, event, at_ms)


def added(parts: list[float | None]) -> float | None:
    """A sum of costs that is unknown when a part of it is."""
    return None if any(p is None for p in parts) else sum(p for p in parts if p is not None)


def _run_started(run: RunState, e: ev.RunStarted, at: int) -> None:
    run.id, run.workflow, run.spec = e.run, e.workflow, e.spec
    run.commit, run.branch, run.tree = e.commit, e.branch, e.tree
    run.max_budget, run.max_timeout, run.max_tokens = e.max_budget, e.max_timeout, e.max_tokens
    run.from_step, run.forced = e.from_step, e.forced
    run.started_ms = run.resumed_ms = run.now_ms = at


def _run_resumed(run: RunState, e: ev.RunResumed, at: int) -> None:
    run.active_ms += max(0, run.now_ms - run.resumed_ms)
    run.resumed_ms = run.now_ms = at
    run.status, run.paused, run.message, run.limit = "running", "", "", ""


def _step_skipped(run: RunState, e: ev.StepSkipped, at: int) -> None:
    step = run.step(e.step)
    step.phase, step.cached, step.kind = "passed", True, e.step_type
    step.key, step.agent, step.from_run = e.key, e.agent, e.run
    step.tree_in, step.tree, step.gates = e.tree_in, e.tree, e.gates
    step.saved, step.saved_ms = e.saved_usd, e.saved_ms
    step.values = dict(e.values)
    step.started_ms = at
    if e.tasks is not None:
        run.tasks[e.step] = e.tasks


def _step_started(run: RunState, e: ev.StepStarted, at: int) -> None:
    step = run.step(e.step)
    if not step.attempts:
        step.started_ms = at
    step.phase, step.kind, step.agent, step.tree_in = "running", e.step_type, e.agent, e.tree_in
    step.key = e.key or step.key
    step.reason = step.reason or e.reason
    if step.last and step.last.number == e.attempt:
        step.attempts.pop()
    step.attempts.append(Attempt(e.attempt, e.agent, e.tree, at, overrides=step.overrides, signature=e.signature))


def _agent_launched(run: RunState, e: ev.AgentLaunched, at: int) -> None:
    if attempt := run.step(e.step).last:
        attempt.launched, attempt.session_id, attempt.guard = e.artifacts, e.session_id, ""


def _turn_completed(run: RunState, e: ev.TurnCompleted, at: int) -> None:
    if attempt := run.step(e.step).last:
        attempt.live_turns, attempt.live_cost = e.turn, e.cost_usd


def _agent_completed(run: RunState, e: ev.AgentCompleted, at: int) -> None:
    attempt = run.step(e.step).last
    if attempt is None:
        return
    attempt.phase, attempt.tree_out = "answered", e.tree
    attempt.usage, attempt.cost, attempt.turns = e.usage, e.cost_usd, e.turns
    attempt.duration_ms, attempt.ended_ms, attempt.first_write_ms = e.duration_ms, at, e.first_write_ms
    attempt.session_id, attempt.model = e.session_id or attempt.session_id, e.model
    attempt.failure, attempt.message, attempt.values = e.failure, e.message, e.values


def _agent_killed(run: RunState, e: ev.AgentKilled, at: int) -> None:
    step = run.step(e.step)
    attempt = step.last
    if attempt is None:
        return
    if e.in_flight:
        step.killed_cost = added([step.killed_cost, e.cost_usd])
        step.killed_usage = step.killed_usage + e.usage
        attempt.launched = ""
        return
    attempt.guard = e.guard or attempt.guard
    attempt.phase, attempt.failure, attempt.message = "answered", "guard" if attempt.guard else "agent", e.reason
    attempt.usage, attempt.cost, attempt.turns = e.usage, e.cost_usd, e.turns_partial
    attempt.duration_ms, attempt.ended_ms, attempt.tree_out = e.duration_ms, at, attempt.tree
    attempt.session_id = e.session_id or attempt.session_id


def _guard_triggered(run: RunState, e: ev.GuardTriggered, at: int) -> None:
    if attempt := run.step(e.step).last:
        attempt.guard = e.guard


def _gates(run: RunState, e: ev.GatePassed | ev.GateFailed, at: int) -> None:
    step = run.step(e.step)
    step.gates = e.gates
    if attempt := step.last:
        attempt.gates, attempt.phase, attempt.ended_ms = e.gates, "judged", at
        if isinstance(e, ev.GateFailed):
            attempt.message = attempt.message or e.reason


def _retry_triggered(run: RunState, e: ev.RetryTriggered, at: int) -> None:
    step = run.step(e.step)
    step.overrides = e.overrides
    if step.last:
        step.last.reason = e.reason


def _state_updated(run: RunState, e: ev.StateUpdated, at: int) -> None:
    run.step(e.step).values.update(e.values)
    if e.tasks is not None:
        run.tasks[e.step] = e.tasks


def _step_completed(run: RunState, e: ev.StepCompleted, at: int) -> None:
    step = run.step(e.step)
    step.phase = "passed" if e.status == "pass" else "fatal"
    step.kind, step.tree, step.commit, step.duration_ms = e.step_type, e.tree, e.commit, e.duration_ms


def _step_warned(run: RunState, e: ev.StepWarned, at: int) -> None:
    run.step(e.step).warnings.append(e.message)


def _budget_exceeded(run: RunState, e: ev.BudgetExceeded, at: int) -> None:
    run.limit = e.scope


def _run_paused(run: RunState, e: ev.RunPaused, at: int) -> None:
    run.status, run.paused, run.message = "paused", e.reason, e.message


def _run_completed(run: RunState, e: ev.RunCompleted, at: int) -> None:
    run.status, run.result_tree, run.result_commit = e.status, e.tree, e.commit


def _nothing(run: RunState, e: ev.Event, at: int) -> None:
    """An event that is there for people and changes no state."""


_APPLY: dict[type[ev.Event], Callable[[RunState, Any, int], None]] = {
    ev.RunStarted: _run_started,
    ev.RunResumed: _run_resumed,
    ev.StepSkipped: _step_skipped,
    ev.StepStarted: _step_started,
    ev.AgentLaunched: _agent_launched,
    ev.TurnCompleted: _turn_completed,
    ev.AgentCompleted: _agent_completed,
    ev.AgentKilled: _agent_killed,
    ev.GuardTriggered: _guard_triggered,
    ev.GateStarted: _nothing,
    ev.GatePassed: _gates,
    ev.GateFailed: _gates,
    ev.RetryTriggered: _retry_triggered,
    ev.CircuitBreaker: _nothing,
    ev.BlastRadiusWarning: _nothing,
    ev.StepWarned: _step_warned,
    ev.SessionLost: _nothing,
    ev.StateUpdated: _state_updated,
    ev.StepCompleted: _step_completed,
    ev.BudgetExceeded: _budget_exceeded,
    ev.RunPaused: _run_paused,
    ev.LedgerRepaired: _nothing,
    ev.RunCompleted: _run_completed,
}
