from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gumpc.values import cut_middle, duration_text

LINES = "".join(f"line {n}\n" for n in range(100))


def test_short_text_stays_as_it_is() -> None:
    assert cut_middle("abc\n", 4) == "abc\n"


def test_the_cut_is_on_line_bounds_and_said() -> None:
    lines = cut_middle(LINES, 100).splitlines()
    remark = next(line for line in lines if line.startswith("[…"))
    kept = [line for line in lines if line != remark]
    assert lines[0] == "line 0"
    assert lines[-1] == "line 99"
    assert set(kept) <= set(LINES.splitlines())
    assert remark == f"[… {100 - len(kept)} lines cut …]"


def test_the_head_gets_its_share() -> None:
    assert cut_middle(LINES, 100, head=0.0).startswith("[…")
    assert cut_middle(LINES, 200, head=0.9).index("[…") > 100


def test_a_line_too_long_is_cut_itself() -> None:
    assert cut_middle("x" * 500 + "y" * 500, 60) == f"{'x' * 16}\n[… 968 characters cut …]\n{'y' * 16}"


@settings(deadline=None, max_examples=300)
@given(st.text("ab\n", max_size=300), st.integers(0, 120), st.floats(0, 1))
def test_the_result_fits_and_holds_nothing_new(text: str, limit: int, head: float) -> None:
    cut = cut_middle(text, limit, head=head)
    assert len(cut) <= limit
    before, remark, after = cut.partition("[…")
    if remark:
        assert text.startswith(before.rstrip("\n"))
        assert text.endswith(after.partition("…]")[2].lstrip("\n"))
    else:
        assert text.endswith(cut)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.25, "0.25s"),
        (5, "5s"),
        (60, "1m"),
        (90, "1m30s"),
        (600, "10m"),
        (5400, "1h30m"),
        (3605, "1h5s"),
        (59.99, "1m"),
    ],
)
def test_durations(seconds: float, expected: str) -> None:
    assert duration_text(seconds) == expected
