"""Values out of JSON that a foreign program printed: each reading gives a sound value or its empty one, never an error.

A CLI's stream may hold anything: invalid UTF-8, half a line, 100,000 levels of nesting, NaN, a number where a text
was. What survives these functions can be written as UTF-8, added up, and stored as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

_MOST_TOKENS = 10**12
_MOST_AMOUNT = 10.0**10


def json_object(line: bytes) -> Mapping[str, object]:
    """The JSON object of one line; empty for a line that is anything else."""
    try:
        value = json.loads(line.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return {}
    return as_map(value)


def as_map(value: object) -> Mapping[str, object]:
    """`value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> Sequence[object]:
    """`value` if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else ()


def as_text(value: object) -> str:
    """`value` if it is a text, else ""; lone surrogates, which no file can hold, become question marks."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def as_count(value: object) -> int:
    """`value` if it is a whole number that can be a count of tokens, else 0."""
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else 0


def as_amount(value: object) -> float | None:
    """`value` if it is a number that can be an amount of money or a time, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= _MOST_AMOUNT else None


def as_json(value: object) -> object | None:
    """`value` with each text made sound; None when it holds what JSON cannot (NaN) or nests too deep to be told."""
    try:
        sound: object = json.loads(json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return sound
