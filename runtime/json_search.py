"""Finds the JSON in an agent's final message: the message itself, a fenced block, or a value in the middle of prose.

The last value that fits wins: agents quote drafts and examples first and answer last. A message may hold a million
brackets on purpose, so a search in prose looks at the message's end alone, and gives up after a set amount of work.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Protocol

MAX_PROSE = 200_000
"""Characters, from the end of a message, that are searched for a value in prose."""
MAX_WORK = 50_000_000
"""Characters that a search in prose may look at, all its attempts together (about a second)."""

_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_OPENING = re.compile(r"[\[{]")
_DECODER = json.JSONDecoder()


class Fits(Protocol):
    """Whether a decoded value is what is looked for; `alone` when nothing but white space or a fence is around it."""

    def __call__(self, value: object, *, alone: bool) -> bool:
        """Say so."""
        ...


def find_json(message: str, fits: Fits) -> str | None:
    """The text of the JSON value in `message` that fits, or None; a fenced one is preferred to one in prose."""
    whole = message.strip()
    if _is_json(whole, fits):
        return whole
    fenced = [block for block in _fenced(message) if _is_json(block, fits)]
    if fenced:
        return fenced[-1]
    prose = message[-MAX_PROSE:]
    loose = [prose[start:end] for start, end, value in _values(prose) if fits(value, alone=False)]
    return loose[-1] if loose else None


def _fenced(message: str) -> Iterator[str]:
    """What stands in fences, in order; one that is never closed counts up to the end."""
    fence, inside = "", list[str]()
    for line in message.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if not fence:
            fence = mark[1] if mark else ""
        elif mark and mark[1].startswith(fence) and line.strip() == mark[1]:
            yield "".join(inside)
            fence, inside = "", []
        else:
            inside.append(line)
    if inside:
        yield "".join(inside)


def _is_json(text: str, fits: Fits) -> bool:
    try:
        return fits(json.loads(text), alone=True)
    except (ValueError, RecursionError):
        return False


def _values(text: str) -> Iterator[tuple[int, int, object]]:
    """Arrays and objects in `text`, outermost ones only, with where they start and end."""
    position, work = 0, 0
    while work < MAX_WORK and (opening := _OPENING.search(text, position)) is not None:
        start = opening.start()
        try:
            value, end = _DECODER.raw_decode(text, start)
        except json.JSONDecodeError as error:
            # The decoder counts the lines up to the fault, so an attempt costs its position, not its length.
            work += error.pos + 1
            position = start + 1
        except (ValueError, RecursionError):
            # Too deep, or a number of too many digits: how far it went is not told, so all counts as looked at.
            work += len(text)
            position = start + 1
        else:
            yield start, end, value
            position = end
