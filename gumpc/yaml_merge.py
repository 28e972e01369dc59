"""Merge keys and duplicate keys: from the pairs as written to the entries of a mapping, each key once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gumpc.diagnostics import Collector, Note
from gumpc.nodes import Mapping, Node, Scalar, Sequence

Pair = tuple[Scalar, Node]


def unique_entries(pairs: Iterable[Pair], out: Collector) -> tuple[Pair, ...]:
    """The pairs, in order, with the first of equal keys; every later one is reported."""
    first: dict[str, Pair] = {}
    for key, value in pairs:
        earlier = first.setdefault(key.value, (key, value))[0]
        if earlier is not key:
            notes = (Note("it is first given here", earlier.span),)
            out.add("G004", f"the key `{key.value}` is given twice", key.span, notes=notes)
    return tuple(first.values())


def merged_entries(pairs: tuple[Pair, ...], out: Collector) -> tuple[Pair, ...]:
    """Expand `<<` where it stands; keys written out win over merged ones, earlier merged ones over later."""
    if not any(_is_merge(key) for key, _ in pairs):
        return pairs
    given = {key.value for key, _ in pairs if not _is_merge(key)}
    merged: list[Pair] = []
    for key, value in pairs:
        if not _is_merge(key):
            merged.append((key, value))
            continue
        for inner_key, inner in _sources(key, value, out):
            if inner_key.value not in given:
                given.add(inner_key.value)
                merged.append((inner_key, inner))
    return tuple(merged)


def measure(node: Node) -> tuple[int, int]:
    """How many nodes `node` holds below itself, and on how many levels, itself counted as one."""
    if isinstance(node, Scalar):
        return 0, 1
    inner: Iterable[Node] = node.items if isinstance(node, Sequence) else (n for pair in node.entries for n in pair)
    sizes = [measure(child) for child in inner]
    return sum(size + 1 for size, _ in sizes), 1 + max((height for _, height in sizes), default=0)


def _is_merge(key: Scalar) -> bool:
    return key.plain and key.value == "<<"


def _sources(key: Scalar, value: Node, out: Collector) -> Iterator[Pair]:
    for source in value.items if isinstance(value, Sequence) else (value,):
        if isinstance(source, Mapping):
            yield from source.entries
        else:
            out.add("G009", "`<<` takes an alias of a mapping, or a list of such aliases", key.span)
