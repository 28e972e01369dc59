"""Figures, and columns that fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.agents.protocol import Usage
from runtime.report.columns import Cell, Column, clean, clip, columns, display_width, flow, for_encoding, paragraph
from runtime.report.figures import count, duration, money, money_of, short_id, size, tokens


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        (0.44, "$0.44"),
        (0.0, "$0.00"),
        (None, "unpriced"),
        (0.004, "<$0.01"),
        (0.006, "$0.01"),
        (1234.5, "$1,234.50"),
    ],
)
def test_money(usd: float | None, shown: str) -> None:
    assert money(usd) == shown


@pytest.mark.parametrize(
    ("parts", "shown"),
    [([], "$0.00"), ([0.1, 0.2], "$0.30"), ([1.2, None], "≥ $1.20"), ([None], "unpriced"), ([None, 0.0], "unpriced")],
)
def test_a_sum_with_an_unknown_part_is_a_lower_bound(parts: list[float | None], shown: str) -> None:
    assert money_of(parts) == shown


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (0, "0s"),
        (99, "0s"),
        (449, "0.4s"),
        (999, "0.9s"),
        (1000, "1s"),
        (59_999, "59s"),
        (60_000, "1m00s"),
        (192_000, "3m12s"),
        (3_599_999, "59m59s"),
        (3_720_000, "1h02m"),
        (90_000_000, "25h00m"),
    ],
)
def test_durations(ms: int, shown: str) -> None:
    assert duration(ms) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0k"),
        (9_949, "9.9k"),
        (9_960, "10k"),
        (412_300, "412k"),
        (999_499, "999k"),
        (999_501, "1.0M"),
        (3_400_000_000, "3.4G"),
    ],
)
def test_counts(number: int, shown: str) -> None:
    assert count(number) == shown


def test_sizes_and_tokens() -> None:
    assert (size(12), size(1234)) == ("12 B", "1.2 kB")
    assert tokens(Usage(100, 38_000, 300, 0)) == "400 in (75% from cache), 38k out"
    assert tokens(Usage(100, 5)) == "100 in, 5 out"


def test_an_id_is_as_long_as_it_takes_to_be_the_only_one() -> None:
    run = "0193f2b7-1111-7abc-8def-000000000001"
    assert short_id(run) == "0193f2b7"
    assert short_id(run, [run, "0193f2a1-1111-7abc-8def-000000000001"]) == "0193f2b7"
    assert short_id(run, ["0193f2b7-2111-7abc-8def-000000000001"]) == "0193f2b7-1"
    assert short_id(run, ["0193f2b7-1112-7abc-8def-000000000001"]) == "0193f2b7-1111"


def test_columns_align_wide_letters() -> None:
    shape = (Column(), Column("right"), Column())
    lines = columns([["会計", "1", "x"], ["abc", "100", "y"]], shape, width=80)
    assert lines == ["  会計    1  x", "  abc   100  y"]


def test_the_least_important_column_gives_way_first() -> None:
    shape = (Column(rank=1, minimum=6, cut="middle"), Column(rank=2, minimum=5), Column(rank=3, minimum=0))
    row = ["decompose/auth/green", "claude-haiku", "a long reason"]
    assert columns([row], shape, width=60) == ["  decompose/auth/green  claude-haiku  a long reason"]
    assert columns([row], shape, width=44) == ["  decompose/auth/green  claude-haiku  a lon…"]
    assert columns([row], shape, width=40) == ["  decompose/auth/green  claude-haiku"]
    assert columns([row], shape, width=30) == ["  decompose/auth/green  claud…"]
    assert columns([row], shape, width=20) == ["  decom…green  clau…"]


def test_colour_changes_nothing_but_the_colour() -> None:
    rows = [[Cell("run", "warn"), "a"], [Cell("skip", "good"), "b"]]
    shape = (Column(), Column())
    colored = columns(rows, shape, width=80, color=True)
    assert colored == ["  \033[33mrun\033[0m   a", "  \033[32mskip\033[0m  b"]
    assert [clean(line) for line in colored] == columns(rows, shape, width=80)


def test_text_of_agents_cannot_drive_the_terminal() -> None:
    assert clean("a\x1b[2Jb\x1b]0;title\x07c\x9b31md\r\ne\x08\u202ef\x1b") == "abcd  ef"


def test_texts_break_between_parts_and_words() -> None:
    assert flow(["one", "", "two", "three"], width=12) == ["one · two", "  three"]
    assert paragraph("not logged in: log in", width=12, indent="  ") == ["  not logged", "  in: log in"]


def test_an_old_encoding_gets_stand_ins() -> None:
    assert for_encoding("✓ a · ≥ $1 → 会…", "ascii") == "+ a - > $1 > ?~"
    assert for_encoding("✓ é", "UTF-8") == "✓ é"


LETTERS = st.text(st.characters(codec="utf-8"), max_size=30)


@given(text=LETTERS, width=st.integers(1, 20), cut=st.sampled_from(["end", "middle"]))
def test_what_is_cut_fits(text: str, width: int, cut: str) -> None:
    shown = clean(text)
    assert shown == "" or shown.isprintable()
    assert display_width(clip(shown, width, cut=cut)) <= width  # type: ignore[arg-type]


@given(rows=st.lists(st.tuples(LETTERS, LETTERS, LETTERS), min_size=1, max_size=4), width=st.integers(12, 60))
def test_no_line_is_wider_than_the_screen(rows: list[tuple[str, str, str]], width: int) -> None:
    shape = (Column(rank=1), Column("right", rank=2, minimum=3, cut="middle"), Column(rank=3, minimum=0))
    lines = columns(rows, shape, width=width)
    assert len(lines) == len(rows)
    assert all(display_width(line) <= width for line in lines)
