"""Guesses are made for slips of the keyboard, and for nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gumpc.nearest import nearest

KEYS = ("agent", "gate", "get", "guard", "prompt", "retry", "steps", "type", "worktree")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("gates", "gate"),
        ("tpye", "type"),
        ("agnet", "agent"),
        ("wroktre", "worktree"),
        ("Prompt", "prompt"),
        ("gat", "gate"),
        ("gte", "gate"),
        ("colour", None),
        ("x", None),
        ("", None),
        ("budget", None),
    ],
)
def test_a_slip_is_corrected_and_another_word_is_not(word: str, expected: str | None) -> None:
    assert nearest(word, KEYS) == expected


def test_ties_do_not_depend_on_the_order_of_the_words() -> None:
    assert nearest("bat", ["cat", "bar"]) == nearest("bat", ["bar", "cat"]) == "bar"


@given(st.sampled_from(KEYS), st.integers(0, 7))
def test_two_neighbours_swapped_are_one_slip(word: str, at: int) -> None:
    at %= len(word) - 1
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    assert nearest(swapped, [word, "something-else"]) == word
