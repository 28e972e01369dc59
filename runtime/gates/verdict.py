"""The verdict of one gate: what state, ledger, cache and the next attempt's prompt keep of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a gate passed.

    A gate that could not judge is `skipped`, with the reason, and counts as passed. `error` is what a person and the
    next attempt need to put it right: never empty when the gate did not pass. `comments` are remarks beyond that.
    `command` is what ran, on one line, and `seconds` how long it took.
    """

    name: str
    kind: str
    passed: bool
    skipped: str = ""
    error: str = ""
    comments: str = ""
    seconds: float = 0.0
    command: str = ""
