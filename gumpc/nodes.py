"""YAML as three immutable node types that know where they stand; scalars stay text, typed later by the language.

The reader keeps every scalar as written (`no`, `010` and `1:30` are text), because what a value means is decided by
the key it belongs to, not by YAML's implicit types.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from operator import itemgetter

from gumpc.source import Span


@dataclass(frozen=True, slots=True)
class Scalar:
    """A string with the place of each of its lines.

    `lines` maps offsets of `value` to places: `(offset, line, column)` says that the character at `offset` stands at
    that place and that the ones after it follow on the same line, up to the next entry. Where escapes or folding
    break that rule, the entries are finer. It has at least one entry, the first with offset 0.
    """

    value: str
    span: Span
    lines: tuple[tuple[int, int, int], ...]
    plain: bool = False

    def locate(self, start: int, end: int) -> Span:
        """The place of `value[start:end]` in the file."""
        line, column = self._place(start)
        end_line, end_column = self._place(end - 1) if end > start else (line, column - 1)
        return Span(self.span.file, line, column, end_line, end_column + 1)

    def _place(self, offset: int) -> tuple[int, int]:
        begin, line, column = self.lines[bisect_right(self.lines, offset, key=itemgetter(0)) - 1]
        return line, column + offset - begin


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Mapping:
    """A map, in the file's order, merge keys already expanded; every key is a scalar and is there once."""

    entries: tuple[tuple[Scalar, Node], ...]
    span: Span

    def get(self, name: str) -> Node | None:
        """The value of the key `name`, if there is one."""
        return next((value for key, value in self.entries if key.value == name), None)


Node = Scalar | Sequence | Mapping
