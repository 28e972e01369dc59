"""The retry policy: which overrides are in force for which attempt."""

from __future__ import annotations

import pytest

from gumpc.ir import RetryEntry, RetryPolicy, Template, Text
from gumpc.source import Span
from runtime.retry import Failure, has_next, overrides_for

HERE = Span("w.yaml", 1, 1, 1, 1)
GATE = Failure("gate", ("test",))


def text(value: str) -> Template:
    return Template((Text(value),), HERE)


def policy(*entries: RetryEntry, attempts: int = 5) -> RetryPolicy:
    return RetryPolicy(attempts, entries)


def attempt(count: int, **overrides: object) -> RetryEntry:
    return RetryEntry("attempt", HERE, count=count, **overrides)  # type: ignore[arg-type]


def test_the_first_attempt_has_no_overrides():
    assert overrides_for(policy(attempt(2, agent=text("big"))), []).described() == {}


@pytest.mark.parametrize(("made", "expected"), [(1, {}), (2, {"agent": "big"}), (3, {"agent": "big"})])
def test_an_entry_holds_from_its_attempt_on(made: int, expected: dict[str, str]):
    assert overrides_for(policy(attempt(3, agent=text("big"))), [GATE] * made).described() == expected


def test_later_entries_win_key_by_key():
    both = policy(attempt(2, agent=text("one"), session="new"), attempt(2, agent=text("two"), prompt=text("again")))
    assert overrides_for(both, [GATE]).described() == {"agent": "two", "session": "new", "prompt": "changed"}


def test_overrides_stay_when_their_condition_holds_no_more():
    sticky = policy(RetryEntry("not", HERE, gate="test", agent=text("big"), reset=True))
    failures = [GATE, Failure("gate", ("lint",))]
    assert overrides_for(sticky, failures).described() == {"agent": "big", "worktree": "reset"}


@pytest.mark.parametrize(
    ("failure", "holds"), [(GATE, True), (Failure("gate", ("lint",)), False), (Failure("guard"), False)]
)
def test_a_condition_on_a_gate(failure: Failure, holds: bool):
    entry = RetryEntry("not", HERE, gate="test", session="new")
    assert (overrides_for(policy(entry), [failure]).session == "new") is holds


@pytest.mark.parametrize("kind", ["gate", "guard", "verdict", "agent"])
def test_a_condition_on_a_kind_of_failure(kind: str):
    entry = RetryEntry("on", HERE, gate=kind, session="new")
    kinds = ("gate", "guard", "verdict", "agent")
    assert [k for k in kinds if overrides_for(policy(entry), [Failure(k)]).session] == [kind]


def test_own_puts_an_end_to_new():
    entries = policy(attempt(2, session="new"), attempt(3, session="own"))
    assert [overrides_for(entries, [GATE] * made).session for made in (1, 2)] == ["new", "own"]


@pytest.mark.parametrize(("attempts", "made", "more"), [(1, 1, False), (3, 2, True), (3, 3, False)])
def test_attempts_are_counted(attempts: int, made: int, more: bool):
    assert has_next(policy(attempts=attempts), made) is more
