"""Guards: the first limit that is passed, and no other."""

from __future__ import annotations

import pytest

from gumpc.ir import Guard
from runtime.agents.protocol import Finished, Said, Spent, Turn, Usage, Wrote
from runtime.guards import Guards, RunLimits


def spent(*, tokens: int = 0, cost: float | None = None) -> Spent:
    return Spent(Usage(tokens), cost)


@pytest.mark.parametrize(
    ("guard", "event", "name"),
    [
        (Guard(max_tokens=10), spent(tokens=11), "max_tokens"),
        (Guard(max_budget=1.0), spent(cost=1.01), "max_budget"),
        (Guard(max_budget=1.0), Finished("", Usage(), 1.01), "max_budget"),
        (Guard(no_write=True), Wrote("src/x.py"), "no_write"),
    ],
)
def test_a_limit_that_is_passed(guard: Guard, event: Spent | Wrote, name: str):
    trip = Guards(guard).feed(event)
    assert trip is not None
    assert (trip.guard, trip.scope) == (name, "attempt")


@pytest.mark.parametrize(
    ("guard", "event"),
    [
        (Guard(max_tokens=10), spent(tokens=10)),
        (Guard(max_budget=1.0), spent(cost=1.0)),
        (Guard(max_budget=1.0), spent(tokens=10**9, cost=None)),
        (Guard(no_write=True), Wrote(".gump/out/plan.json")),
        (Guard(), Wrote("src/x.py")),
        (Guard(max_turns=1), Turn()),
        (Guard(max_turns=0 + 1), Said("hello")),
    ],
)
def test_a_limit_that_is_just_kept(guard: Guard, event: Spent | Wrote | Turn | Said):
    assert Guards(guard).feed(event) is None


def test_turns_are_counted():
    guards = Guards(Guard(max_turns=2))
    assert [guards.feed(Turn()) is not None for _ in range(4)] == [False, False, True, True]


def test_the_first_trip_stays():
    guards = Guards(Guard(max_turns=1, max_tokens=5))
    guards.feed(spent(tokens=6))
    guards.feed(Turn())
    guards.feed(Turn())
    assert guards.trip is not None
    assert guards.trip.guard == "max_tokens"


@pytest.mark.parametrize(("seconds", "ends"), [(0.9, False), (1.1, True)])
def test_time(seconds: float, ends: bool):
    assert (Guards(Guard(max_time=1.0)).tick(seconds) is not None) is ends


@pytest.mark.parametrize(
    ("limits", "event", "name"),
    [
        (RunLimits(budget=0.5), spent(cost=0.6), "max_budget"),
        (RunLimits(tokens=5), spent(tokens=6), "max_tokens"),
    ],
)
def test_what_is_left_of_the_runs_limits(limits: RunLimits, event: Spent, name: str):
    trip = Guards(Guard(), limits).feed(event)
    assert trip is not None
    assert (trip.guard, trip.scope) == (name, "run")


def test_the_runs_time():
    trip = Guards(Guard(max_time=60), RunLimits(seconds=2.0)).tick(2.5)
    assert trip is not None
    assert (trip.guard, trip.scope) == ("max_timeout", "run")
