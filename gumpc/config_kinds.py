"""What a configuration value may be: one `Kind` per sort of value, for TOML values and for environment variables.

A kind says what it expects in words, because that half of the message is the one that helps. It accepts the Python
value that TOML gives; the text of an environment variable is first brought into that form.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeGuard

from gumpc.nearest import nearest

_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_USD = 1e9
_SWITCHES = {"true": True, "1": True, "false": False, "0": False}


class Unfit(Exception):
    """A value that its kind refuses; the message is a clause that says what was expected."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`accept` turns a TOML value into ours or raises `Unfit`; `from_text` makes a TOML value of a variable's text."""

    accept: Callable[[object], Any]
    from_text: Callable[[str], object] = str


def _switch(text: str) -> object:
    return _SWITCHES.get(text.lower(), text)


def _number(text: str) -> object:
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def _split(text: str) -> object:
    return [part.strip() for part in text.split(",") if part.strip()]


def shown(value: object) -> str:
    """A value as a person wrote it, shortened."""
    text = str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def accept_text(value: object) -> str:
    """A text that is not blank and can be an argument of a program."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise Unfit(f"expected a text, not {shown(value)}")
    return value


def accept_texts(value: object) -> tuple[str, ...]:
    """A list of texts that are not blank."""
    if not isinstance(value, list):
        raise Unfit(f"expected a list of texts, not {shown(value)}")
    return tuple(accept_text(item) for item in value)


def _accept_command(value: object) -> str | None:
    if not isinstance(value, str):
        raise Unfit(f'expected a shell command, or "" to have it found, not {shown(value)}')
    return value.strip() or None


def _accept_switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise Unfit(f"expected true or false, not {shown(value)}")
    return value


def _accept_count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Unfit(f"expected a whole number of at least 1, not {shown(value)}")
    return value


def accept_price(value: object) -> float:
    """A number of USD, 0 or more."""
    if not _is_amount(value):
        raise Unfit(f"expected a number of USD, 0 or more, not {shown(value)}")
    return float(value)


def _accept_budget(value: object) -> float:
    if not _is_amount(value) or value == 0:
        raise Unfit(f"expected a number of USD above 0, not {shown(value)}")
    return float(value)


def _is_amount(value: object) -> TypeGuard[int | float]:
    # The bound also refuses infinity, NaN, and integers too large for a float.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= _MOST_USD


def _accept_duration(value: object) -> float:
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    total = float(hours * 3600 + minutes * 60 + seconds)
    if total <= 0:
        raise Unfit(f'expected a duration such as "90s", "30m" or "1h30m", not {shown(value)}')
    return total


def accept_variables(value: object) -> tuple[str, ...]:
    """A list of names of environment variables."""
    names = accept_texts(value)
    for name in names:
        if not _VARIABLE.fullmatch(name):
            raise Unfit(f"expected names of environment variables, not {shown(name)}")
    return names


def one_of(*allowed: str) -> Kind:
    """One of a few words."""

    def accept(value: object) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        close = nearest(value, allowed) if isinstance(value, str) else None
        hint = f"; did you mean `{close}`?" if close else ""
        raise Unfit(f"expected one of {', '.join(allowed)}, not {shown(value)}{hint}")

    return Kind(accept)


TEXT = Kind(accept_text)
COMMAND = Kind(_accept_command)
SWITCH = Kind(_accept_switch, _switch)
COUNT = Kind(_accept_count, _number)
BUDGET = Kind(_accept_budget, _number)
DURATION = Kind(_accept_duration)
TEXTS = Kind(accept_texts, _split)
VARIABLES = Kind(accept_variables, _split)
