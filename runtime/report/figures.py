"""Figures as people read them: money, times, tokens, counts, sizes, short ids.

A cost that nobody knows is `unpriced`, never 0, and a sum with an unknown part is a lower bound (`≥ $1.20`).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

from runtime.agents.protocol import Usage

UNPRICED = "unpriced"
SHORTEST_ID = 8


def money(usd: float | None) -> str:
    """USD with cents; a fraction of a cent is not shown as nothing."""
    if usd is None:
        return UNPRICED
    return "<$0.01" if 0 < usd < 0.005 else f"${usd:,.2f}"


def money_sum(whole: float | None, priced: float) -> str:
    """A sum that is `whole`, or, when a part of it has no price, at least the `priced` part."""
    if whole is not None:
        return money(whole)
    return f"≥ {money(priced)}" if priced > 0 else UNPRICED


def money_of(parts: Iterable[float | None]) -> str:
    """The sum of costs of which some may be unknown."""
    known = list(parts)
    priced = sum(p for p in known if p is not None)
    return money_sum(None if any(p is None for p in known) else priced, priced)


def duration(ms: float) -> str:
    """A time span: `0.4s`, `41s`, `3m12s`, `1h02m`."""
    if ms < 1000:
        return f"{int(ms / 100) / 10:.1f}s" if ms >= 100 else "0s"
    minutes, seconds = divmod(int(ms / 1000), 60)
    if not minutes:
        return f"{seconds}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{seconds:02}s"


def count(number: int) -> str:
    """A large count: `950`, `1.2k`, `412k`, `1.3M`."""
    if number < 1000:
        return str(number)
    for unit, size in (("k", 1000), ("M", 1_000_000)):
        value = number / size
        if value < 999.5:
            return f"{value:.1f}{unit}" if value < 9.95 else f"{value:.0f}{unit}"
    return f"{number / 1_000_000_000:.1f}G"


def size(characters: int) -> str:
    """A size in bytes: `12 B`, `1.2 kB`."""
    return f"{characters} B" if characters < 1000 else f"{count(characters)[:-1]} {count(characters)[-1]}B"


def tokens(usage: Usage) -> str:
    """Tokens in and out, and how many of those going in came from the provider's cache."""
    going_in = usage.input + usage.cache_read + usage.cache_write
    cached = f" ({usage.cache_read * 100 // going_in}% from cache)" if usage.cache_read else ""
    return f"{count(going_in)} in{cached}, {count(usage.output)} out"


def number_of(number: int, one: str, many: str = "") -> str:
    """`1 step`, `2 steps`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def lines_changed(added: int, removed: int) -> str:
    """`+212 −18`."""
    return f"+{added} −{removed}"


def short_id(run: str, among: Iterable[str] = ()) -> str:
    """The shortest beginning of a run's id, of at least 8 characters, that no other id of `among` has.

    The first 8 characters of a UUIDv7 stand still for a minute, so two runs may share them.
    """
    shared = max((_shared(run, other) for other in among if other != run), default=0)
    length = max(SHORTEST_ID, shared + 1)
    return run[:length] if not run[:length].endswith("-") else run[: length + 1]


def _shared(one: str, other: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
