"""Aligned columns that fit a terminal: rows of cells in, lines out.

Everything that people see passes through here, so three things hold everywhere: text that agents wrote cannot move the
cursor or paint (`clean`), a line is never wider than the screen (the least important column gives way, with `…`), and
colour marks a state that a word or a sign says as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Style = Literal["", "good", "bad", "warn", "busy", "faint"]

GAP = "  "
ELLIPSIS = "…"
NARROWEST = 4
"""A column that may vanish does so when less than this is left of it: `a…` tells nobody anything."""

_COLORS: dict[str, str] = {"good": "32", "bad": "31", "warn": "33", "busy": "36", "faint": "2"}
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.?|\x9b[0-?]*[ -/]*[@-~]")
_ASCII = str.maketrans(
    {"✓": "+", "✗": "x", "·": "-", "…": "~", "→": ">", "−": "-", "–": "-", "≥": ">", "⠹": "*", "’": "'", "▸": ">"}
)


@dataclass(frozen=True, slots=True)
class Cell:
    """Text with the state that its colour shows."""

    text: str
    style: Style = ""


@dataclass(frozen=True, slots=True)
class Column:
    """How a column is set. The higher `rank`, the sooner it is shortened, down to `minimum`; 0 lets it vanish.

    `cut` is where the `…` goes. A `fixed` width is kept whatever the text, so that lines printed one at a time stand
    under each other.
    """

    align: Literal["left", "right"] = "left"
    rank: int = 0
    minimum: int = 1
    cut: Literal["end", "middle"] = "end"
    fixed: int = 0


Row = Sequence[Cell | str]


def columns(
    rows: Sequence[Row], shape: Sequence[Column], *, width: int, color: bool = False, indent: str = "  "
) -> list[str]:
    """One line per row, none wider than `width`; a column without text takes no room.

    Args:
        rows: as many cells as `shape` has columns, each.
        width: of the screen, in character cells.
        color: True to mark states with ANSI colours.
        indent: what every line begins with.
    """
    cells = [[Cell(clean(c)) if isinstance(c, str) else Cell(clean(c.text), c.style) for c in row] for row in rows]
    natural = [max((display_width(row[n].text) for row in cells), default=0) for n in range(len(shape))]
    widths = _fitted([c.fixed or w for c, w in zip(shape, natural, strict=True)], shape, width - len(indent))
    return [_line(row, shape, widths, color, indent) for row in cells]


def flow(parts: Iterable[str], *, width: int, indent: str = "", hang: str = "  ", separator: str = " · ") -> list[str]:
    """Parts joined to lines that fit `width`, broken between parts only; empty parts are left out.

    Every line begins with `indent`, all but the first also with `hang`.
    """
    lines: list[str] = []
    for part in filter(None, map(clean, parts)):
        joined = f"{lines[-1]}{separator}{part}" if lines else ""
        if joined and display_width(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(clip((indent + hang if lines else indent) + part, width))
    return lines


def paragraph(text: str, *, width: int, indent: str = "", hang: str = "") -> list[str]:
    """A text broken between words to lines that fit `width`."""
    return flow(text.split(), width=width, indent=indent, hang=hang, separator=" ")


def clean(text: str) -> str:
    """One line of printable text: no escapes, no control or direction marks, line ends as spaces."""
    if text.isascii() and text.isprintable():
        return text
    shown = _ESCAPES.sub("", text).rstrip()
    return "".join(c if c.isprintable() else " " if c.isspace() else "" for c in shown)


def clip(text: str, width: int, *, cut: Literal["end", "middle"] = "end") -> str:
    """The text in at most `width` character cells, with `…` for what is left out."""
    if display_width(text) <= width:
        return text
    if width < 1:
        return ""
    if cut == "end":
        return _take(text, width - 1) + ELLIPSIS
    tail = (width - 1) // 2
    return _take(text, width - 1 - tail) + ELLIPSIS + _take(text[::-1], tail)[::-1]


def paint(text: str, style: Style, color: bool) -> str:
    """The text in the colour of a state."""
    return f"\033[{_COLORS[style]}m{text}\033[0m" if color and style and text else text


def display_width(text: str) -> int:
    """How many character cells a terminal gives the text."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def for_encoding(text: str, encoding: str | None) -> str:
    """The text as a stream of this encoding can print it: our signs get stand-ins, other letters a `?`."""
    name = (encoding or "utf-8").lower().replace("_", "-")
    if name.startswith("utf"):
        return text
    return text.translate(_ASCII).encode(name, "replace").decode(name)


def _fitted(natural: list[int], shape: Sequence[Column], room: int) -> list[int]:
    widths = list(natural)
    for n in sorted(range(len(shape)), key=lambda n: -shape[n].rank):
        least = shape[n].fixed or shape[n].minimum
        widths[n] = _shrunk(widths[n], _total(widths) - room, least)
    # On a very narrow screen every column gives way, the widest first.
    for n in sorted(range(len(shape)), key=lambda n: -widths[n]):
        widths[n] = _shrunk(widths[n], _total(widths) - room, 1)
    return widths


def _shrunk(width: int, excess: int, least: int) -> int:
    if excess <= 0 or width <= least:
        return width
    left = max(least, width - excess)
    return 0 if least == 0 and left < NARROWEST else left


def _total(widths: list[int]) -> int:
    shown = [w for w in widths if w]
    return sum(shown) + len(GAP) * max(0, len(shown) - 1)


def _line(row: list[Cell], shape: Sequence[Column], widths: list[int], color: bool, indent: str) -> str:
    shown = [(cell, column, w) for cell, column, w in zip(row, shape, widths, strict=True) if w]
    while shown and not shown[-1][0].text:
        shown.pop()
    parts = [_cell(cell, column, w, color) for cell, column, w in shown]
    return (indent + GAP.join(parts)).rstrip()


def _cell(cell: Cell, column: Column, width: int, color: bool) -> str:
    text = clip(cell.text, width, cut=column.cut)
    padding = " " * (width - display_width(text))
    painted = paint(text, cell.style, color)
    return padding + painted if column.align == "right" else painted + padding


def _take(text: str, width: int) -> str:
    taken = 0
    for n, letter in enumerate(text):
        taken += display_width(letter)
        if taken > width:
            return text[:n]
    return text
