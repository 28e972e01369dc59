"""A TOML text read into a table, and the line on which a key of it was written.

`tomllib` keeps no places. Instead of a second reader that could disagree with it, a key's line is found by asking
`tomllib` itself: the key first appears in the shortest readable beginning of the text that holds it. That is quadratic,
so it is done only when there is a fault to report, and only in texts of an ordinary length.
"""

from __future__ import annotations

import re
from typing import Any

Table = dict[str, Any]

_LONGEST_LOCATED = 600
_PLACE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")


class TomlError(Exception):
    """The text is not TOML; `line` is None when the place is not known."""

    def __init__(self, message: str, line: int | None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


def read_table(text: str) -> Table:
    """The table that `text` holds; raises `TomlError`."""
    import tomllib  # here, because it takes 10 ms that `check` need not pay where there is no configuration

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _located(str(error), text) from error
    except ValueError as error:  # an integer of thousands of digits
        raise TomlError(str(error), None) from error
    except RecursionError as error:
        raise TomlError("values are nested too deeply", None) from error


def line_of(text: str, path: tuple[str, ...]) -> int | None:
    """The line, from 1, on which the statement that gives `path` begins; None when it cannot be told."""
    lines = text.split("\n")
    if len(lines) > _LONGEST_LOCATED:
        return None
    begins = 1
    for count in range(1, len(lines) + 1):
        table = _read_beginning(lines[:count])
        if table is None:
            continue
        if _holds(table, path):
            return begins
        begins = count + 1
    return None


def _located(message: str, text: str) -> TomlError:
    place = _PLACE.search(message)
    if place is None:
        return TomlError(message, None)
    line = int(place[1]) if place[1] else text.count("\n") + 1
    return TomlError(message[: place.start()], line)


def _read_beginning(lines: list[str]) -> Table | None:
    try:
        return read_table("\n".join(lines) + "\n")
    except TomlError:
        return None


def _holds(table: object, path: tuple[str, ...]) -> bool:
    for name in path:
        if not isinstance(table, dict) or name not in table:
            return False
        table = table[name]
    return True
