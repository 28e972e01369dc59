"""Places in source text: what every later phase points at when it speaks to a person.

A `Span` carries its file, because a diagnostic's notes may point into another one (a called workflow,
a prompt file). Lines and columns count from 1 and columns count code points, as editors show them; the end is
exclusive, so `end_column - column` is the width of a span on one line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE_BREAK = re.compile(r"\r\n?|\n")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range of characters in one file."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def start(self) -> Span:
        """The empty span at this span's beginning."""
        return Span(self.file, self.line, self.column, self.line, self.column)


@dataclass(frozen=True, slots=True)
class Source:
    """One text and the name people know it by (a path as the user gave it, `<stdin>`, `builtin:tdd`)."""

    name: str
    text: str


def line_starts(text: str) -> list[int]:
    """The index at which each line of `text` begins, lines ended by LF, CRLF or CR as editors count them."""
    return [0, *(found.end() for found in _LINE_BREAK.finditer(text))]
