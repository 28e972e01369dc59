"""Fixes applied to a text by place: whole or not at all, and never two that touch."""

from __future__ import annotations

import pytest

from gumpc.diagnostics import Diagnostic, Edit, Fix
from gumpc.fixing import apply_fixes
from gumpc.source import Span
from tests.test_cases import SEEDS, compile_file

TEXT = "a: b # why\r\nc: d\n"


def fault(*edits: tuple[int, int, int, int, str], file: str = "f") -> Diagnostic:
    changes = tuple(Edit(Span(file, *places), text) for *places, text in edits)
    return Diagnostic("G102", "m", Span("f", 1, 1, 1, 2), fix=Fix("d", changes))


@pytest.mark.parametrize(
    ("faults", "expected", "applied"),
    [
        ([fault((1, 1, 1, 2, "name"))], "name: b # why\r\nc: d\n", 1),
        ([fault((1, 4, 1, 4, "["), (1, 5, 1, 5, "]"))], "a: [b] # why\r\nc: d\n", 1),
        ([fault((2, 1, 3, 1, ""))], "a: b # why\r\n", 1),
        ([fault((2, 1, 2, 2, "C")), fault((1, 1, 1, 2, "A"))], "A: b # why\r\nC: d\n", 2),
        ([fault((1, 1, 1, 3, "x")), fault((1, 2, 1, 4, "y"))], "x b # why\r\nc: d\n", 1),
        ([fault((1, 1, 1, 2, "x")), fault((1, 2, 1, 3, "y"))], "xy b # why\r\nc: d\n", 2),
        ([fault((1, 1, 1, 1, "x")), fault((1, 1, 1, 1, "y"))], "xa: b # why\r\nc: d\n", 1),
        ([fault((1, 1, 1, 2, "x")), fault((1, 2, 1, 2, "y"))], "x: b # why\r\nc: d\n", 1),
        ([fault((1, 1, 1, 2, "x")), fault((2, 1, 2, 2, "z"), (1, 1, 1, 2, "y"))], "x: b # why\r\nc: d\n", 1),
        ([fault((1, 1, 1, 2, "x"), (1, 1, 1, 2, "y"))], TEXT, 0),
        ([fault((9, 1, 9, 2, "x"))], TEXT, 0),
        ([fault((1, 1, 1, 2, "x"), file="g")], TEXT, 0),
    ],
)
def test_fixes_are_applied_whole_and_apart(faults: list[Diagnostic], expected: str, applied: int) -> None:
    text, done = apply_fixes("f", TEXT, faults)
    assert (text, len(done)) == (expected, applied)


@pytest.mark.parametrize("raw", SEEDS)
def test_fixes_come_to_an_end_keep_every_comment_and_leave_yaml(raw: bytes) -> None:
    diagnostics, text = compile_file("f.yaml", raw)
    before = {d.code for d in diagnostics}
    comments = [line for line in text.splitlines() if line.strip().startswith("#") and "gumpc:" not in line]
    for _ in range(50):
        text, applied = apply_fixes("f.yaml", text, diagnostics)
        if not applied:
            break
        diagnostics, _ = compile_file("f.yaml", text.encode())
    assert not any(d.fix for d in diagnostics)
    assert [line for line in text.splitlines() if line in comments] == comments
    assert {d.code for d in diagnostics if d.code.startswith("G0")} <= before
