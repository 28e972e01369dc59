"""The views of diagnostics; more of the text form is in `tests/cases/err`."""

from __future__ import annotations

import json

import pytest

from gumpc.diagnostics import Diagnostic, Edit, Fix, Note
from gumpc.render import render_json, render_text, summary
from gumpc.source import Span

TEXT = "name: ship\nsteps:\n  - name: impl\n    gates: [compile]\n"
KEY = Span("ship.yaml", 4, 5, 4, 10)
UNKNOWN = Diagnostic(
    "G102",
    "unknown key `gates` in a code step",
    KEY,
    label="did you mean `gate`?",
    fix=Fix("rename to `gate`", (Edit(KEY, "gate"),)),
)
AMBIGUOUS = Diagnostic(
    "G301",
    "`impl` is ambiguous here",
    Span("ship.yaml", 3, 11, 3, 15),
    notes=(
        Note("one is here", Span("ship.yaml", 12, 13, 12, 17), "at the root: {/impl.diff}"),
        Note("the other is here", Span("a.yaml", 3, 1, 3, 2), "in this block: {./impl.diff}"),
    ),
    help="write the one you mean",
)


def marked(text: str, span: Span) -> tuple[str, str]:
    """The source line and the underline as shown for `span`."""
    lines = render_text([Diagnostic("G102", "m", span)], {span.file: text}, color=False).split("\n")
    return lines[3], lines[4]


def test_the_text_form() -> None:
    assert render_text([AMBIGUOUS, UNKNOWN], {"ship.yaml": TEXT}, color=False) == (
        "error[G301]: `impl` is ambiguous here\n"
        "  --> ship.yaml:3:11\n"
        "   |\n"
        " 3 |   - name: impl\n"
        "   |           ^^^^\n"
        "   |\n"
        " note: one is here         ship.yaml:12:13   at the root: {/impl.diff}\n"
        " note: the other is here   a.yaml:3:1        in this block: {./impl.diff}\n"
        " help: write the one you mean\n"
        "\n"
        "error[G102]: unknown key `gates` in a code step\n"
        "  --> ship.yaml:4:5\n"
        "   |\n"
        " 4 |     gates: [compile]\n"
        "   |     ^^^^^ did you mean `gate`?\n"
        "   |\n"
        " fix: rename to `gate` (apply with --fix)\n"
    )


def test_the_gutter_grows_with_the_line_number() -> None:
    span = Span("f", 1234, 1, 1234, 2)
    shown = render_text([Diagnostic("G102", "m", span)], {"f": "\n" * 1233 + "x\n"}, color=False)
    assert shown.split("\n")[1:5] == ["    --> f:1234:1", "     |", "1234 | x", "     | ^"]


def test_colour_is_added_only_when_asked_for_and_changes_no_text() -> None:
    import re

    plain = render_text([UNKNOWN], {"ship.yaml": TEXT}, color=False)
    colored = render_text([UNKNOWN], {"ship.yaml": TEXT}, color=True)
    assert "\x1b[" not in plain
    assert re.sub(r"\x1b\[[\d;]*m", "", colored) == plain
    assert colored != plain


@pytest.mark.parametrize(
    ("text", "span", "expected"),
    [
        ("a:\tbc\n", Span("f", 1, 4, 1, 6), (" 1 | a:    bc", "   |       ^^")),
        ("漢字: x\n", Span("f", 1, 1, 1, 3), (" 1 | 漢字: x", "   | ^^^^")),
        ("漢字: x\n", Span("f", 1, 5, 1, 6), (" 1 | 漢字: x", "   |       ^")),
        ("e\u0301: x\n", Span("f", 1, 4, 1, 5), (" 1 | e\u0301: x", "   |   ^")),
        ("a: b\n", Span("f", 2, 1, 2, 1), (" 2 |", "   | ^")),
        ("a: b", Span("f", 1, 5, 1, 5), (" 1 | a: b", "   |     ^")),
        ("a: |\n  b\n", Span("f", 1, 4, 2, 4), (" 1 | a: |", "   |    ^")),
        ("abc: [\n  b]\n", Span("f", 1, 1, 2, 5), (" 1 | abc: [", "   | ^^^^^^")),
        ("a: b\r\nc: d\r\n", Span("f", 2, 1, 2, 2), (" 2 | c: d", "   | ^")),
        ("", Span("f", 1, 1, 1, 1), (" 1 |", "   | ^")),
        ("a\n", Span("f", 9, 3, 9, 4), (" 9 |", "   | ^")),
    ],
)
def test_the_underline_stands_below_what_it_means(text: str, span: Span, expected: tuple[str, str]) -> None:
    assert marked(text, span) == expected


def test_text_of_a_file_cannot_steer_the_terminal() -> None:
    found = Diagnostic("G102", "unknown key `\x1b[2J`", Span("\x1b]0;x", 1, 1, 1, 2), label="\u202e", help="\x07")
    shown = render_text([found], {"\x1b]0;x": "\x1b[31m \u202e\x07\n"}, color=False)
    assert all(line.isprintable() for line in shown.split("\n"))


def test_a_very_long_line_is_cut_around_the_span() -> None:
    line = "x" * 5000 + "KEY" + "y" * 5000
    shown, under = marked(line + "\n", Span("f", 1, 5001, 1, 5004))
    assert len(shown) < 200
    assert shown[under.index("^") : under.rindex("^") + 1] == "KEY"


def test_a_file_whose_text_is_not_at_hand_is_named_without_its_line() -> None:
    assert render_text([Diagnostic("G001", "m", KEY)], {}, color=False) == "error[G001]: m\n  --> ship.yaml:4:5\n"


@pytest.mark.parametrize(
    ("codes", "files", "expected"),
    [
        ([], 3, "no faults in 3 workflows"),
        (["G301"], 1, "1 error in 1 workflow (`gumpc check --explain G301` tells more)"),
        (["G301", "G102", "G402"], 3, "2 errors, 1 warning in 3 workflows (`gumpc check --explain G301` tells more)"),
    ],
)
def test_the_summary(codes: list[str], files: int, expected: str) -> None:
    assert summary([Diagnostic(code, "m", KEY) for code in codes], files) == expected


def test_the_json_form() -> None:
    assert json.loads(render_json([AMBIGUOUS, UNKNOWN], 2)) == {
        "version": 1,
        "diagnostics": [
            {
                "code": "G301",
                "severity": "error",
                "message": "`impl` is ambiguous here",
                "file": "ship.yaml",
                "line": 3,
                "column": 11,
                "end_line": 3,
                "end_column": 15,
                "notes": [
                    {
                        "message": "one is here: at the root: {/impl.diff}",
                        "file": "ship.yaml",
                        "line": 12,
                        "column": 13,
                    },
                    {
                        "message": "the other is here: in this block: {./impl.diff}",
                        "file": "a.yaml",
                        "line": 3,
                        "column": 1,
                    },
                ],
                "help": "write the one you mean",
                "fix": None,
            },
            {
                "code": "G102",
                "severity": "error",
                "message": "unknown key `gates` in a code step",
                "file": "ship.yaml",
                "line": 4,
                "column": 5,
                "end_line": 4,
                "end_column": 10,
                "notes": [],
                "help": "",
                "fix": {
                    "description": "rename to `gate`",
                    "edits": [{"line": 4, "column": 5, "end_line": 4, "end_column": 10, "text": "gate"}],
                },
            },
        ],
        "summary": {"errors": 2, "warnings": 0, "files": 2},
    }
