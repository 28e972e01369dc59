"""Digests of values, and keys whose explanation holds just what was hashed."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gumpc.digest import Manifest, Sink, digest_of, manifest
from gumpc.source import Span


@dataclass(frozen=True)
class Pair:
    left: object
    right: object
    span: Span


HERE, THERE = Span("a.yaml", 1, 1, 1, 2), Span("b.yaml", 3, 1, 3, 2)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def canonical(value: object) -> object:
    """Values that differ only in the order of keys are one; True and 1 are not."""
    if isinstance(value, dict):
        return ("map", tuple(sorted((key, canonical(item)) for key, item in value.items())))
    if isinstance(value, list):
        return ("list", tuple(canonical(item) for item in value))
    return (type(value).__name__, repr(value))


@given(left=PLAIN, right=PLAIN)
def test_equal_values_and_no_others_have_equal_digests(left: object, right: object) -> None:
    assert (digest_of(left) == digest_of(right)) == (repr(canonical(left)) == repr(canonical(right)))


def test_items_do_not_run_together() -> None:
    values = [["a", "b"], ["ab"], ["ab", ""], [["a"], "b"], [["a", "b"]], "ab", ["s1:a"], {"a": "b"}, [1, 2], [12]]
    assert len({digest_of(value) for value in values}) == len(values)


def test_places_do_not_count_and_values_do() -> None:
    assert digest_of(Pair("a", (1,), HERE)) == digest_of(Pair("a", [1], THERE))
    assert digest_of(Pair("a", 1, HERE)) != digest_of(Pair(1, "a", HERE))


def test_a_lone_surrogate_has_a_digest() -> None:
    assert digest_of("\ud800") != digest_of("\ud801")


def test_what_has_no_digest() -> None:
    with pytest.raises(TypeError, match="cannot digest a set"):
        digest_of({1, 2})


def test_a_key_and_its_explanation_come_from_one_description() -> None:
    def describe(prompt: str) -> Manifest:
        def walk(sink: Sink) -> None:
            sink.part("prompt")
            sink.field("text", prompt)
            sink.part("tree")
            sink.field("id", "0123")
            sink.part("prompt")
            sink.field("more", "x")

        return manifest(walk)

    one, same, other = describe("a"), describe("a"), describe("b")
    assert one == same
    assert one.fields == {"prompt": (("text", "a"), ("more", "x")), "tree": (("id", "0123"),)}
    changed = {part for part in one.parts if one.parts[part] != other.parts[part]}
    assert changed == {"prompt"}
    assert one.key != other.key
