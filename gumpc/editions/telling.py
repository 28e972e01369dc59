"""Which edition a file is written in: `edition:` at the root says so, else the marks that only one edition has.

A step that calls an agent and has no `type` is a mark of edition 3 only where nothing speaks for edition 4, because
there it is a slip that is told better than by a quarrel of editions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gumpc.diagnostics import Collector, Note
from gumpc.nearest import nearest
from gumpc.nodes import Mapping, Node, Scalar, Sequence
from gumpc.source import Span

RUN_FIELDS = ("cost", "duration", "tokens_in", "tokens_out", "retries", "status")
_KEYS_OF_STEPS = {
    **dict.fromkeys(("output", "foreach", "on_failure"), 3),
    **dict.fromkeys(("type", "each", "retry", "get", "run"), 4),
}
_BLOCKS = ("steps", "each")
_REFERENCE = re.compile(
    rf"\{{(?:(steps|item)\.[A-Za-z0-9_]|run\.(?:{'|'.join(RUN_FIELDS)})\}}|(task)\.|([\w-]+)\.[\w.-]+\}})"
)


@dataclass(frozen=True, slots=True)
class _Mark:
    """What only one edition has; `weak` when it may be a slip."""

    edition: int
    shown: str
    span: Span
    weak: bool = False


def edition_of(root: Mapping, collector: Collector) -> int | None:
    """3 or 4; None after reporting marks of both."""
    forced = root.get("edition")
    if isinstance(forced, Scalar) and forced.value in ("3", "4"):
        return int(forced.value)
    first: dict[int, _Mark] = {}
    slip = False
    for mark in _marks(root):
        slip = slip or mark.weak
        if not mark.weak:
            first.setdefault(mark.edition, mark)
    if len(first) == 2:
        _report_both(first[3], first[4], collector)
        return None
    return next(iter(first), 3 if slip else 4)


def _report_both(old: _Mark, new: _Mark, collector: Collector) -> None:
    collector.add(
        "G111",
        f"the file mixes two editions: {old.shown} (line {old.span.line}) is of edition 3, "
        f"{new.shown} (line {new.span.line}) of edition 4",
        old.span,
        label="edition 3",
        notes=[Note(f"{new.shown}, which is of edition 4, is here", new.span)],
        help="write `edition: 4` at the root, and each place of edition 3 is told with what to write instead",
    )


def _marks(root: Mapping) -> Iterator[_Mark]:
    names = {step.value for step in _names(root)}
    for key, value in root.entries:
        if key.value == "inputs":
            yield _Mark(3, "`inputs`", key.span)
        elif key.value in _BLOCKS:
            yield from _in_block(value, names)


def _names(node: Mapping) -> Iterator[Scalar]:
    """The name of every step below a mapping."""
    for key, value in node.entries:
        if key.value in _BLOCKS and isinstance(value, Sequence):
            for item in value.items:
                if isinstance(item, Mapping):
                    name = item.get("name")
                    yield from (name,) if isinstance(name, Scalar) else ()
                    yield from _names(item)


def _in_block(block: Node, names: set[str]) -> Iterator[_Mark]:
    for step in block.items if isinstance(block, Sequence) else ():
        if isinstance(step, Mapping):
            yield from _in_step(step, names)


def _in_step(step: Mapping, names: set[str]) -> Iterator[_Mark]:
    keys = {key.value for key, _ in step.entries}
    for key, value in step.entries:
        if key.value in _KEYS_OF_STEPS:
            yield _Mark(_KEYS_OF_STEPS[key.value], f"`{key.value}`", key.span)
        if key.value in _BLOCKS:
            yield from _in_block(value, names)
        elif key.value != "name":
            yield from _in_text(value, names)
    if "prompt" in keys and not any(key in _KEYS_OF_STEPS or nearest(key, ("type",)) for key in keys):
        yield _Mark(3, "an agent step without `type`", step.span, weak=True)


def _in_text(node: Node, names: set[str]) -> Iterator[_Mark]:
    if isinstance(node, Scalar):
        for found in _REFERENCE.finditer(node.value) if "{" in node.value else ():
            if found[3] and found[3] not in names:
                continue
            edition = 4 if found[2] or found[3] else 3
            text = found[0] if found[0].endswith("}") else f"{found[0]}…}}"
            yield _Mark(edition, f"`{text}`", node.locate(found.start(), found.end()))
        return
    for item in node.items if isinstance(node, Sequence) else (value for _, value in node.entries):
        yield from _in_text(item, names)
