"""Keys, and what they are made of: one description of a step's inputs, read by a hash and by people.

A describing function walks what a step depends on and names every part to a `Sink`. `Hashing` makes the digests from
those calls, `Telling` keeps the same words for people, so an explanation cannot disagree with the key. A part is a
group of fields that changes for one reason (`prompt`, `tree`, …); the key is the digest of the parts' digests.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol


class Sink(Protocol):
    """Takes a description, part by part."""

    def part(self, name: str) -> None:
        """The fields that follow belong to this part."""
        ...

    def field(self, name: str, value: str) -> None:
        """One named value."""
        ...


Description = Callable[[Sink], None]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A key with the digest of each of its parts, and the fields that they were made of."""

    key: str
    parts: Mapping[str, str]
    fields: Mapping[str, tuple[tuple[str, str], ...]]


def manifest(describe: Description) -> Manifest:
    """The key and its explanation."""
    hashing, telling = Hashing(), Telling()
    describe(hashing)
    describe(telling)
    parts = hashing.digests()
    return Manifest(digest_of(parts), parts, {name: tuple(fields) for name, fields in telling.parts.items()})


@dataclass(slots=True)
class Hashing:
    """A sink that digests each part; lengths go in too, so that no two descriptions run together."""

    _parts: dict[str, list[str]] = field(default_factory=dict)
    _current: str = ""

    def part(self, name: str) -> None:
        """Begin a part."""
        self._current = name
        self._parts.setdefault(name, [])

    def field(self, name: str, value: str) -> None:
        """Add a field to the current part."""
        self._parts[self._current] += [name, value]

    def digests(self) -> dict[str, str]:
        """The SHA-256 of each part, in hexadecimal."""
        return {name: digest_of(values) for name, values in self._parts.items()}


@dataclass(slots=True)
class Telling:
    """A sink that keeps every field as it is."""

    parts: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    _current: str = ""

    def part(self, name: str) -> None:
        """Begin a part."""
        self._current = name
        self.parts.setdefault(name, [])

    def field(self, name: str, value: str) -> None:
        """Add a field to the current part."""
        self.parts[self._current].append((name, value))


def digest_of(value: object) -> str:
    """The SHA-256, in hexadecimal, of plain values (strings, numbers, None, lists, mappings, dataclasses).

    Equal values have equal digests whatever the order of a mapping's keys; every item is preceded by its kind and
    length. Source places (`span`, `file`) of dataclasses do not count.
    """
    state = sha256()
    _feed(value, state.update)
    return state.hexdigest()


_PLACES = frozenset(("span", "file", "written"))


def _feed(value: object, update: Callable[[bytes], None]) -> None:
    if isinstance(value, str):
        raw = value.encode("utf-8", "surrogatepass")
        update(b"s%d:" % len(raw))
        update(raw)
    elif isinstance(value, Mapping):
        update(b"m%d:" % len(value))
        for key in sorted(value):
            _feed(key, update)
            _feed(value[key], update)
    elif isinstance(value, list | tuple):
        update(b"l%d:" % len(value))
        for item in value:
            _feed(item, update)
    elif dataclasses.is_dataclass(value):
        fields = [f.name for f in dataclasses.fields(value) if f.name not in _PLACES]
        _feed([type(value).__name__, *([name, getattr(value, name)] for name in fields)], update)
    elif value is None or isinstance(value, bool | int | float):
        update(b"v" + repr(value).encode() + b";")
    else:
        raise TypeError(f"cannot digest a {type(value).__name__}")
