"""Stored results: what the cache keeps of a step that passed, and which commits keep its trees alive.

A result holds the trees before and after, so that the patch can be carried to another tree that differs only where the
key does not look. It also holds how each attempt was set up and how it failed, because a result that took several
attempts stands only while the retry policy would prompt them in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from gumpc.tasks import Task
from runtime.agents.protocol import Usage
from runtime.gates.verdict import Verdict

_T = TypeVar("_T")

CACHE_REFS = "refs/gumpc/cache/"


@dataclass(frozen=True, slots=True)
class PastAttempt:
    """How one attempt was set up (`signature`), and how it failed: the kind and the gates, empty for the one that
    passed.
    """

    agent: str
    signature: str
    failure: str = ""
    gates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """The result of an agent step that passed."""

    run: str
    step: str
    workflow: str
    agent: str
    tree_in: str
    tree: str
    values: Mapping[str, str]
    attempts: tuple[PastAttempt, ...]
    parts: Mapping[str, str]
    fields: Mapping[str, tuple[tuple[str, str], ...]]
    tasks: tuple[Task, ...] | None = None
    cost: float | None = None
    duration_ms: int = 0
    usage: Usage = field(default_factory=Usage)
    gates: tuple[Verdict, ...] = ()
    created: str = ""

    @property
    def session_id(self) -> str:
        """The session in which the step ended."""
        return self.values.get("session_id", "")


@dataclass(frozen=True, slots=True)
class Latest:
    """What a step's key was made of when it last ran, for telling what has changed since."""

    key: str
    run: str
    tree_in: str
    parts: Mapping[str, str]
    fields: Mapping[str, tuple[tuple[str, str], ...]]


@cache
def _adapters() -> Mapping[type[object], TypeAdapter[object]]:
    return {kind: TypeAdapter(kind) for kind in (Stored, Latest, Verdict)}


def to_payload(value: Stored | Latest | Verdict) -> dict[str, object]:
    """Plain JSON values for the cache."""
    dumped = _adapters()[type(value)].dump_python(value, mode="json")
    assert isinstance(dumped, dict)
    return dumped


def stored_from(payload: Mapping[str, object] | None) -> Stored | None:
    """The result in a cache entry; None when there is none or it is not one of ours."""
    return _from(Stored, payload)


def latest_from(payload: Mapping[str, object] | None) -> Latest | None:
    """The latest manifest in a cache entry, if it is one."""
    return _from(Latest, payload)


def verdict_from(payload: Mapping[str, object] | None) -> Verdict | None:
    """The verdict in a cache entry, if it is one."""
    return _from(Verdict, payload)


def _from(kind: type[_T], payload: Mapping[str, object] | None) -> _T | None:
    if payload is None:
        return None
    try:
        value = _adapters()[kind].validate_python(payload)
    except ValidationError:
        return None
    assert isinstance(value, kind)
    return value
