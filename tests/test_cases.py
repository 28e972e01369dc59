"""Golden cases: what is in `cases/ok` is accepted in silence, what is in `cases/err` is told what its `.out` says.

A case is a file, checked where there is no repository, or a folder with `main.yaml`, which is a small repository.
`GUMPC_UPDATE_GOLDEN=1` rewrites the `.out` files; the review is the diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gumpc.codes import CODES
from gumpc.compiler import Compilation, compile_workflow
from gumpc.config_types import Config
from gumpc.diagnostics import Diagnostic
from gumpc.library import Found, Library
from gumpc.render import render_text, summary
from gumpc.rules.world import World
from gumpc.source import Span, line_starts

CASES = Path(__file__).parent / "cases"
MAIN = "main.yaml"


def cases(folder: str) -> list[Path]:
    """The workflow file of each case, in order."""
    return sorted([*(CASES / folder).glob("*.yaml"), *(CASES / folder).glob(f"*/{MAIN}")])


def name_of(path: Path) -> str:
    return path.parent.name if path.name == MAIN else path.stem


OK, ERR = cases("ok"), cases("err")
SEEDS = [path.read_bytes() for path in [*OK, *ERR]]


def compile_case(path: Path) -> Compilation:
    """The compiler's answer to a case."""
    root = path.parent if path.name == MAIN else None
    found = Found(path.name, path, path.read_bytes())
    config = Config()

    def read(name: str) -> str | None:
        file = path.parent / name
        return file.read_text("utf-8") if file.is_file() else None

    library = Library(root=root, home=None, shown_from=path.parent)
    return compile_workflow(found, library=library, config=config, world=World(config, read if root else None))


def compile_file(name: str, raw: bytes) -> tuple[tuple[Diagnostic, ...], str]:
    """Everything that is said of a file that stands alone, and its text."""
    library = Library(root=None, home=None, shown_from=CASES / "nowhere")
    compiled = compile_workflow(Found(name, None, raw), library=library, config=Config(), world=World(Config()))
    return compiled.diagnostics, compiled.sources.get(name, "")


def said_of(path: Path) -> str:
    compiled = compile_case(path)
    return render_text(compiled.diagnostics, compiled.sources, color=False) + summary(compiled.diagnostics, 1) + "\n"


@pytest.mark.parametrize("path", OK, ids=name_of)
def test_nothing_is_said_of_a_sound_file(path: Path) -> None:
    errors = [d for d in compile_case(path).diagnostics if d.code not in TOLD_OF_SOUND_FILES]
    assert errors == []


@pytest.mark.parametrize("path", ERR, ids=name_of)
def test_a_faulty_file_is_told_its_faults(path: Path) -> None:
    said = said_of(path)
    golden = CASES / "err" / f"{name_of(path)}.out"
    if os.environ.get("GUMPC_UPDATE_GOLDEN") == "1":
        golden.write_text(said, encoding="utf-8")
    assert said == golden.read_text(encoding="utf-8")


# What is true of a sound file too: an input that its caller will give.
TOLD_OF_SOUND_FILES = {"G310"}
# Bytes that are no text cannot be shown in a golden file.
WITHOUT_CASE = {"G001"}


def test_there_are_cases() -> None:
    assert {name_of(path) for path in ERR} == {path.stem for path in (CASES / "err").glob("*.out")}


def test_every_code_has_a_case() -> None:
    told = {d.code for path in ERR for d in compile_case(path).diagnostics}
    assert told >= CODES.keys() - WITHOUT_CASE


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
