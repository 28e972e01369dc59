"""The state of a run as a fold over events: what is paid is paid once, and a ledger read again gives the same state."""

from __future__ import annotations

from pathlib import Path

import pytest

from gumpc.tasks import Task
from runtime import events as ev
from runtime.agents.protocol import Usage
from runtime.clock import SystemClock
from runtime.gates.verdict import Verdict
from runtime.journal import Journal, load
from runtime.state import RunState

STARTED = ev.RunStarted("run", "w", "", "commit", "main", "tree", max_budget=1.0)
BEGUN = ev.StepStarted("a", "offline", "code", 1, "new", "tree", "tree", key="key", signature="s1")
LAUNCHED = ev.AgentLaunched("a", 1, "offline", "offline", "/slot", "", "hash", "artifacts/a/attempt-1")


def killed(*, in_flight: bool, cost: float | None = 0.25, guard: str = "") -> ev.AgentKilled:
    return ev.AgentKilled("a", 1, "why", 10, Usage(5), cost, 1, in_flight=in_flight, guard=guard)


def completed(**more: object) -> ev.AgentCompleted:
    return ev.AgentCompleted("a", 1, "out", 0, 10, Usage(7), 0.5, 2, "session", **more)  # type: ignore[arg-type]


def folded(*events: ev.Event) -> RunState:
    state = RunState()
    for moment, event in enumerate(events):
        state.apply(event, at_ms=moment * 1000)
    return state


def test_a_call_cut_short_is_paid_and_made_again():
    state = folded(STARTED, BEGUN, LAUNCHED, killed(in_flight=True))
    attempt = state.step("a").last
    assert attempt is not None
    assert (attempt.phase, attempt.launched) == ("started", "")
    assert (state.cost, state.usage) == (0.25, Usage(5))
    state = folded(STARTED, BEGUN, LAUNCHED, killed(in_flight=True), LAUNCHED, completed())
    assert (state.cost, state.usage) == (0.75, Usage(12))


def test_a_guard_makes_a_failed_attempt_that_left_nothing():
    state = folded(STARTED, BEGUN, LAUNCHED, killed(in_flight=False, guard="max_turns"))
    attempt = state.step("a").last
    assert attempt is not None
    assert (attempt.phase, attempt.failure, attempt.guard, attempt.tree_out) == (
        "answered", "guard", "max_turns", "tree",
    )  # fmt: skip


def test_a_guard_of_a_call_that_is_made_again_is_forgotten():
    guarded = ev.GuardTriggered("a", 1, "max_turns", "why")
    state = folded(STARTED, BEGUN, LAUNCHED, guarded, killed(in_flight=True), LAUNCHED, completed())
    assert state.step("a").last
    assert state.step("a").last.guard == ""  # type: ignore[union-attr]


def test_a_cost_that_is_not_known_is_not_zero():
    state = folded(STARTED, BEGUN, LAUNCHED, killed(in_flight=True, cost=None), LAUNCHED, completed())
    assert (state.cost, state.priced_cost) == (None, 0.5)


def test_an_attempt_begun_twice_is_one_attempt():
    assert len(folded(STARTED, BEGUN, BEGUN).step("a").attempts) == 1


def test_a_skipped_split_brings_its_tasks_along():
    tasks = (Task("one", "d"),)
    state = folded(
        STARTED, ev.StepSkipped("s", "split", "offline", "key", "old", "t", "t", {"output": "[]"}, tasks=tasks)
    )
    assert (state.step("s").phase, state.tasks) == ("passed", {"s": tasks})


def test_pauses_are_no_time_of_the_run():
    state = RunState()
    for event, moment in ((STARTED, 0), (BEGUN, 2000), (ev.RunResumed("run", "running"), 90_000), (LAUNCHED, 91_000)):
        state.apply(event, at_ms=moment)
    assert state.duration_ms == 3000


def test_resuming_takes_back_a_pause_and_a_limit():
    paused = ev.RunPaused("run", "auth", "log in")
    exceeded = ev.BudgetExceeded("a", "max_budget", 1.0, 2.0)
    state = folded(STARTED, exceeded, paused, ev.RunResumed("run", "auth"))
    assert (state.status, state.paused, state.limit) == ("running", "", "")


EVENTS = (
    STARTED,
    BEGUN,
    LAUNCHED,
    ev.TurnCompleted("a", 1, 1, Usage(1), 0.1),
    completed(values={"output": "text"}),
    ev.GateStarted("a", 1, ("test",)),
    ev.GateFailed("a", 1, (Verdict("test", "test", False, "boom"),), "test: boom"),
    ev.RetryTriggered("a", 2, "test: boom", {"agent": "big"}),
    ev.StepStarted("a", "big", "code", 2, "new", "out", "tree", signature="s2"),
    ev.StateUpdated("a", {"attempt": "2"}, (Task("one", "d", ("f",)),)),
    ev.StepCompleted("a", "pass", "code", 5, "out"),
    ev.RunCompleted("run", "passed", 10, 0.5, "out"),
)


@pytest.mark.parametrize("count", range(1, len(EVENTS) + 1))
def test_a_ledger_read_again_gives_the_same_state(tmp_path: Path, count: int):
    journal = Journal.create(tmp_path / "manifest.ndjson", SystemClock())
    for event in EVENTS[:count]:
        journal.append(event)
    journal.close()
    assert load(tmp_path / "manifest.ndjson") == journal.state
    assert journal.seq == count


def test_a_listener_that_fails_is_asked_no_more(tmp_path: Path):
    told: list[str] = []

    def fail(event: ev.Event, state: RunState) -> None:
        raise BrokenPipeError("gone")

    journal = Journal.create(tmp_path / "manifest.ndjson", SystemClock())
    journal.listeners += [fail, lambda event, state: told.append(event.type)]
    journal.append(STARTED)
    journal.append(BEGUN)
    journal.close()
    assert told == ["run_started", "step_started"]
    assert journal.faults == ["BrokenPipeError: gone"]
