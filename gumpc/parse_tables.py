"""The tables of keys: what a construct may hold, what each value looks like, and what it is for.

One table per construct, beside its parser. Three readers share it: the parser (which keys there are, which words, which
bounds), its messages (what is allowed instead), and the JSON Schema that editors read (`gumpc.schema`). How keys go
together (one of two, this only with that) is not here: it is code in the parser, and said again in the schema.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_NUMBER = 10**15


@dataclass(frozen=True, slots=True)
class Text:
    """A string; one with a `pattern` (what all of it must match) is a name and no template."""

    pattern: re.Pattern[str] | None = None
    may_be_empty: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class YesNo:
    """`true` or `false`."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A finite number from `low` to `high`; `above` leaves `low` itself out."""

    whole: bool = False
    low: float = 0
    high: float = MAX_NUMBER
    above: bool = False


@dataclass(frozen=True, slots=True)
class Duration:
    """`90s`, `30m`, `1h30m`: more than nothing."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """No value: a key that says all by being there."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """A map of any names to templates: what a called workflow is given."""


@dataclass(frozen=True, slots=True)
class Part:
    """A construct that holds itself or has several forms: `step`, `gate` or `retry`."""

    name: str


@dataclass(frozen=True, slots=True)
class Many:
    """A list of at least `least` values; with `or_one`, a single one may stand without its list."""

    of: Form
    least: int = 0
    or_one: bool = False


@dataclass(frozen=True, slots=True)
class Either:
    """A value that may be written in two ways."""

    short: Form
    long: Form


@dataclass(frozen=True, slots=True)
class Key:
    """One key: what it is for, as a sentence for people, how its value looks, and what holds where it is left out."""

    about: str
    form: Form = Text()
    default: str | bool | None = None


@dataclass(frozen=True, slots=True)
class Retired:
    """What became of a key of `edition`: advice, and where a machine can rewrite it, the new key and its values."""

    advice: str
    key: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    edition: int = 3


@dataclass(frozen=True, slots=True)
class Keys:
    """The table of one construct: the keys it has, and what to say of keys that people look for here.

    `shown` are those that a message lists, when they are fewer than those in the table.
    """

    table: Mapping[str, Key]
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    retired: Mapping[str, Retired] = field(default_factory=dict)
    shown: tuple[str, ...] = ()

    @property
    def listed(self) -> tuple[str, ...]:
        """The keys that a message lists."""
        return self.shown or tuple(self.table)


Form = Text | Choice | YesNo | Figure | Duration | Nothing | Inputs | Part | Many | Either | Keys
