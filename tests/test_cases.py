"""Golden cases: `cases/ok` files are accepted in silence, `cases/err` files are told what their `.out` says.

`GUMPC_UPDATE_GOLDEN=1` rewrites the `.out` files; the review is the diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gumpc.diagnostics import Collector, Diagnostic
from gumpc.parser import parse
from gumpc.render import render_text, summary
from gumpc.source import Span, line_starts
from gumpc.yaml_reader import decode, read

CASES = Path(__file__).parent / "cases"
OK = sorted((CASES / "ok").glob("*.yaml"))
ERR = sorted((CASES / "err").glob("*.yaml"))
SEEDS = [path.read_bytes() for path in [*OK, *ERR]]


def compile_file(name: str, raw: bytes) -> tuple[tuple[Diagnostic, ...], str]:
    """Everything that is said of a file, and its text."""
    out = Collector()
    source = decode(name, raw, out)
    node = read(source, out) if source else None
    if node is not None:
        parse(node, out)
    return out.sorted(), source.text if source else ""


def said_of(path: Path) -> str:
    diagnostics, text = compile_file(path.name, path.read_bytes())
    shown = render_text(diagnostics, {path.name: text}, color=False)
    return shown + summary(diagnostics, 1) + "\n"


@pytest.mark.parametrize("path", OK, ids=lambda path: path.stem)
def test_nothing_is_said_of_a_sound_file(path: Path) -> None:
    assert said_of(path) == "no faults in 1 workflow\n"


@pytest.mark.parametrize("path", ERR, ids=lambda path: path.stem)
def test_a_faulty_file_is_told_its_faults(path: Path) -> None:
    said = said_of(path)
    golden = path.with_suffix(".out")
    if os.environ.get("GUMPC_UPDATE_GOLDEN") == "1":
        golden.write_text(said, encoding="utf-8")
    assert said == golden.read_text(encoding="utf-8")


def test_there_are_cases() -> None:
    assert len(OK) >= 15
    assert len(ERR) >= 45
    assert {path.stem for path in ERR} == {path.stem for path in (CASES / "err").glob("*.out")}


def spans(diagnostics: tuple[Diagnostic, ...]) -> list[Span]:
    notes = [note.span for d in diagnostics for note in d.notes if note.span]
    edits = [edit.span for d in diagnostics if d.fix for edit in d.fix.edits]
    return [*(d.span for d in diagnostics), *notes, *edits]


def assert_inside(span: Span, text: str) -> None:
    starts = [*line_starts(text), len(text) + 1]
    assert (span.line, span.column) <= (span.end_line, span.end_column)
    for line, column in ((span.line, span.column), (span.end_line, span.end_column)):
        assert 1 <= line < len(starts)
        assert 1 <= column <= starts[line] - starts[line - 1] + 1


SCRAPS = [
    "\t",
    "\n",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    '"',
    "'",
    "|",
    ">",
    "&a ",
    "*a",
    "<<: ",
    "!!x ",
    "\x00",
    "é",
    "#",
    ",",
]
SCRAPS += [
    "\u2028",
    "\r",
    "\ufeff",
    "~",
    "---\n",
    "...\n",
    "? ",
    "\\",
    "`",
    "@",
    "%",
    "  ",
    "name",
    "gate",
    "retry",
    "exit",
]
PATCH = st.tuples(st.floats(0, 1), st.integers(0, 12), st.one_of(st.sampled_from(SCRAPS), st.text(max_size=3)))


@given(raw=st.sampled_from(SEEDS), patches=st.lists(PATCH, min_size=1, max_size=4))
def test_a_damaged_text_is_only_ever_diagnosed(raw: bytes, patches: list[tuple[float, int, str]]) -> None:
    text = raw.decode()
    for where, length, scrap in patches:
        start = int(where * len(text))
        text = text[:start] + scrap + text[start + length :]
    diagnostics, text = compile_file("f.yaml", text.encode("utf-8", "replace"))
    for span in spans(diagnostics):
        assert_inside(span, text)
    shown = render_text(diagnostics, {"f.yaml": text}, color=False)
    assert all(line.isprintable() for line in shown.split("\n"))
    assert shown.count("-->") >= len(diagnostics)


@given(raw=st.sampled_from(SEEDS), where=st.floats(0, 1), scrap=st.binary(max_size=4), length=st.integers(0, 4))
def test_damaged_bytes_are_only_ever_diagnosed(raw: bytes, where: float, scrap: bytes, length: int) -> None:
    start = int(where * len(raw))
    diagnostics, text = compile_file("f.yaml", raw[:start] + scrap + raw[start + length :])
    if text:
        for span in spans(diagnostics):
            assert_inside(span, text)
