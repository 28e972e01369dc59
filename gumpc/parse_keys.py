"""The keys of one mapping, checked against its construct's table: what every construct's parser is written in.

`open_fields` reports unknown, retired and misplaced keys once; the accessors of `Fields` then report what is wrong
with a value and return None, so that a parser reads straight down and goes on after a fault. An unknown key close to
a known one is reported and then read as that one, which keeps one slip from causing a second diagnostic ("missing").
"""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass, field
from typing import TypeVar

from gumpc.diagnostics import Collector, Edit, Fix, Note
from gumpc.nearest import nearest
from gumpc.nodes import Mapping, Node, Scalar
from gumpc.parse_tables import Choice, Figure, Keys, Retired
from gumpc.parse_values import (
    NO_WORDS,
    at_start,
    is_absent,
    kind_of,
    listed,
    read_choice,
    read_duration,
    read_flag,
    read_items,
    read_name,
    read_number,
    read_text,
    shown,
)
from gumpc.source import Span
from gumpc.syntax import Flag, Number

F = TypeVar("F")

MAX_UNKNOWN = 50  # a mapping with more unknown keys than this is no workflow; the rest of them tell nothing new


@dataclass(slots=True)
class Fields:
    """The known keys of one mapping with their values; `owner` names the construct, as `a code step`.

    `extra` holds unknown keys where the construct takes any (inputs of a call). `sure` is False when the mapping
    could not be read or a key was dropped, so that nothing may be called missing.
    """

    owner: str
    span: Span
    out: Collector
    keys: Keys
    given: dict[str, tuple[Scalar, Node]] = field(default_factory=dict)
    extra: list[tuple[Scalar, Node]] = field(default_factory=list)
    sure: bool = True

    def __contains__(self, name: str) -> bool:
        return name in self.given

    def key(self, name: str) -> Scalar:
        """The key `name` itself, which must be there."""
        return self.given[name][0]

    def node(self, name: str) -> Node | None:
        """The value of `name`, if it is there."""
        return self.given[name][1] if name in self.given else None

    def require(self, name: str, *, advice: str = "") -> bool:
        """True if `name` is there; otherwise it is reported as missing."""
        if name not in self.given and self.sure:
            self.out.add("G101", f"`{name}` is missing in {self.owner}", self.span, help=advice)
        return name in self.given

    def conflict(self, left: str, right: str, *, because: str = "", advice: str = "") -> None:
        """Report the key `left`, which cannot stand beside `right`."""
        message = because or f"`{left}` and `{right}` cannot stand together in {self.owner}"
        notes = (Note(f"`{right}` is here", self.key(right).span),)
        self.out.add("G105", message, self.key(left).span, notes=notes, help=advice)

    def text(self, name: str, *, may_be_empty: bool = False) -> Scalar | None:
        """A string or template."""
        node = self.node(name)
        return read_text(node, f"`{name}`", self.out, may_be_empty=may_be_empty) if node else None

    def name(self, name: str, *, of: str) -> Scalar | None:
        """A name of `of`."""
        scalar = self.text(name)
        return read_name(scalar, of, self.out) if scalar else None

    def choice(self, name: str, *, meant: AbstractMapping[str, str] = NO_WORDS) -> Scalar | None:
        """One of the words that the table allows; `meant` knows what people mean by some that are not."""
        scalar = self.text(name)
        if scalar is None:
            return None
        return read_choice(scalar, f"`{name}`", self._form(name, Choice).words, self.out, meant=meant)

    def flag(self, name: str) -> Flag | None:
        """`true` or `false`."""
        node = self.node(name)
        return read_flag(node, f"`{name}`", self.out) if node else None

    def number(self, name: str) -> Number | None:
        """A number within the bounds of the table."""
        node = self.node(name)
        return read_number(node, f"`{name}`", self._form(name, Figure), self.out) if node else None

    def duration(self, name: str) -> Number | None:
        """A duration in seconds."""
        node = self.node(name)
        return read_duration(node, f"`{name}`", self.out) if node else None

    def items(self, name: str) -> tuple[Node, ...]:
        """The items of a list."""
        node = self.node(name)
        return read_items(node, f"`{name}`", self.out) if node else ()

    def _form(self, name: str, form: type[F]) -> F:
        """What the table says of the value of `name`; a parser that expects another form is a fault of ours."""
        found = self.keys.table[name].form
        assert isinstance(found, form), f"the table of {self.owner} has another form of `{name}`"
        return found


def open_fields(node: Node, owner: str, keys: Keys, out: Collector, *, takes_extra: bool = False) -> Fields:
    """The fields of `node`; with `takes_extra`, keys that the table does not know are kept instead of reported."""
    if not isinstance(node, Mapping):
        advice = f"keys: {listed(keys.listed)}"
        message = f"{owner} must be a map, " + ("but is empty" if is_absent(node) else f"not {kind_of(node)}")
        out.add("G103", message, at_start(node), help=advice)
        return Fields(owner, at_start(node), out, keys, sure=False)
    fields = Fields(owner, at_start(node) if not node.entries else node.entries[0][0].span, out, keys)
    unknown = []
    for key, value in node.entries:
        if key.value in keys.table:
            fields.given[key.value] = (key, value)
        elif takes_extra:
            fields.extra.append((key, value))
        else:
            unknown.append((key, value))
    for key, value in unknown[:MAX_UNKNOWN]:
        _unknown(key, value, keys, fields)
    return fields


def _unknown(key: Scalar, value: Node, keys: Keys, fields: Fields) -> None:
    name = key.value
    message = f"unknown key {shown(name)} in {fields.owner}"
    if name in keys.retired:
        _retired(key, value, keys.retired[name], fields)
        return
    if name in keys.elsewhere:
        fields.out.add("G102", message, key.span, help=keys.elsewhere[name])
        fields.sure = False
        return
    near = nearest(name, keys.table)
    if near is None:
        fields.out.add("G102", message, key.span, help=f"keys of {fields.owner}: {listed(keys.listed)}")
        fields.sure = False
        return
    label = f"did you mean `{near}`?"
    if near in fields.given:
        notes = (Note(f"`{near}` is given here", fields.key(near).span),)
        fields.out.add("G102", message, key.span, label=label, notes=notes)
        return
    fields.given[near] = (key, value)
    fix = Fix(f"rename to `{near}`", (Edit(key.span, near),))
    fields.out.add("G102", message, key.span, label=label, fix=fix)


def _retired(key: Scalar, value: Node, retired: Retired, fields: Fields) -> None:
    """Report a key of the other edition; it counts as given under its new name, so that nothing is called missing."""
    fix = None
    if isinstance(value, Scalar) and value.value in retired.values and retired.key not in fields.given:
        new = retired.values[value.value]
        fix = Fix(f"write `{retired.key}: {new}`", (Edit(key.span, retired.key), Edit(value.span, new)))
        renamed = Scalar(new, value.span, value.lines, value.plain)
        fields.given[retired.key] = (key, renamed)
    else:
        fields.sure = False
    message = f"`{key.value}` is a key of edition {retired.edition}; this file is of edition {7 - retired.edition}"
    fields.out.add("G110", message, key.span, help=retired.advice, fix=fix)
