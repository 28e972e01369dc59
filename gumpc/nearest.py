"""The name a person most likely meant: one helper behind every "did you mean" of the compiler.

Distance counts insertions, deletions, substitutions and swaps of neighbours (optimal string alignment), because
those are the slips of a keyboard. A longer word may differ more; a guess that is often wrong is worse than none, so
words of one or two letters get none.
"""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The entry of `allowed` closest to `word`, or None when none is close; ties go to the first in the alphabet."""
    limit = 0 if len(word) < 3 else min(3, (len(word) + 1) // 3)
    best: tuple[int, str] | None = None
    for candidate in allowed:
        if abs(len(candidate) - len(word)) > limit:
            continue
        distance = _distance(word.casefold(), candidate.casefold())
        if distance <= min(limit, len(candidate) - 1) and (best is None or (distance, candidate) < best):
            best = (distance, candidate)
    return best[1] if best else None


def _distance(left: str, right: str) -> int:
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        before, above, row = row, before, [i]
        for j, b in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, above[j - 2] + 1)
            row.append(cost)
    return row[-1]
