"""Where the characters of a YAML text stand in the file, also after a repair has changed the text that is parsed.

PyYAML's own line numbers are not used: YAML 1.1 counts NEL, LS and PS as line breaks, editors do not. A repair (a
spelling that is published but is not YAML) is a small edit; indices of the repaired text are carried back to the
original here, so that no other part knows that a repair took place.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from gumpc.source import Source, Span, line_starts


class Repair(NamedTuple):
    """Replace `[start, end)` of the original text by `text`."""

    start: int
    end: int
    text: str


class Places:
    """The text to parse and the way back from its indices to places of the file."""

    def __init__(self, source: Source, repairs: tuple[Repair, ...] = ()) -> None:
        self.file = source.name
        self.repairs = tuple(sorted(repairs))
        self.original = source.text
        self._starts = line_starts(source.text)
        self.text, self._repaired, self._shifts = _apply(source.text, self.repairs)

    def origin(self, index: int) -> int:
        """The index in the original text of the character at `index` of the text that was parsed."""
        if not self._shifts:
            return index
        return min(index + self._shifts[bisect_right(self._repaired, index)], len(self.original))

    def at(self, index: int) -> tuple[int, int]:
        """Line and column, from 1, of the character at `index` of the text that was parsed."""
        index = self.origin(index)
        line = bisect_right(self._starts, index)
        return line, index - self._starts[line - 1] + 1

    def span(self, start: int, end: int) -> Span:
        """The place of `text[start:end]`."""
        return Span(self.file, *self.at(start), *self.at(end))

    def original_span(self, start: int, end: int) -> Span:
        """The place of `[start, end)` of the original text."""
        ends = []
        for index in (start, end):
            line = bisect_right(self._starts, index)
            ends += [line, index - self._starts[line - 1] + 1]
        return Span(self.file, *ends)


def _apply(original: str, repairs: tuple[Repair, ...]) -> tuple[str, list[int], list[int]]:
    """The repaired text; the indices in it from which the next shift holds; the shifts, one more than indices."""
    if not repairs:
        return original, [], []
    pieces: list[str] = []
    indices: list[int] = []
    shifts = [0]
    done = length = 0
    for start, end, text in repairs:
        pieces += [original[done:start], text]
        length += start - done + len(text)
        done = end
        indices.append(length)
        shifts.append(end - length)
    pieces.append(original[done:])
    return "".join(pieces), indices, shifts
