"""Diagnostics as people and programs read them: the text of a terminal, its summary line, and JSON.

Diagnostics are data; this is one view of them. A source line is shown with tabs as four blanks, with characters that
would move the cursor or reorder the line replaced, and cut to a window around the span when it is very long, so that
the underline is right in every terminal and a hostile file can't write to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gumpc.diagnostics import Diagnostic, Fix, Note
from gumpc.source import Span, line_starts

WIDEST = 160
_TAB = "    "
_COLORS = {"error": "1;31", "warning": "1;33", "hint": "1;36", "gutter": "34", "bold": "1"}


def render_text(diagnostics: Sequence[Diagnostic], sources: Mapping[str, str], *, color: bool) -> str:
    """Each diagnostic with its place, its source line and what to do, in the order given; ends with a newline."""
    paint = _Paint(color)
    lines = {name: _split(text) for name, text in sources.items()}
    return "\n".join(_block(diagnostic, lines, paint) for diagnostic in diagnostics)


def summary(diagnostics: Sequence[Diagnostic], files: int) -> str:
    """One line: how many faults in how many files."""
    counts = [(name, sum(d.severity == name for d in diagnostics)) for name in ("error", "warning", "hint")]
    said = ", ".join(_plural(count, name) for name, count in counts if count) or "no faults"
    more = f" (`gumpc check --explain {diagnostics[0].code}` tells more)" if diagnostics else ""
    return f"{said} in {_plural(files, 'workflow')}{more}"


def render_json(diagnostics: Sequence[Diagnostic], files: int) -> str:
    """The JSON form, version 1; lines and columns count from 1, columns in code points."""
    import json

    document = {
        "version": 1,
        "diagnostics": [_diagnostic_object(diagnostic) for diagnostic in diagnostics],
        "summary": {
            "errors": sum(d.severity == "error" for d in diagnostics),
            "warnings": sum(d.severity == "warning" for d in diagnostics),
            "files": files,
        },
    }
    return json.dumps(document, indent=2) + "\n"


class _Paint:
    def __init__(self, color: bool) -> None:
        self._color = color

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{_COLORS[style]}m{text}\x1b[0m" if self._color and text else text


def _block(diagnostic: Diagnostic, sources: Mapping[str, list[str]], paint: _Paint) -> str:
    span = diagnostic.span
    number = str(span.line).rjust(2)
    margin = " " * len(number)
    head = paint(diagnostic.severity, f"{diagnostic.severity}[{diagnostic.code}]")
    out = [f"{head}: {paint('bold', _safe(diagnostic.message))}", f"{margin}{paint('gutter', '-->')} {_place(span)}"]
    lines = sources.get(span.file)
    if lines is not None:
        bar = paint("gutter", f"{margin} |")
        shown, before, width = _window(lines[span.line - 1] if span.line <= len(lines) else "", span)
        label = f" {_safe(diagnostic.label)}" if diagnostic.label else ""
        out += [
            bar,
            f"{paint('gutter', f'{number} |')} {shown}".rstrip(),
            f"{bar} {' ' * before}{paint(diagnostic.severity, '^' * width + label)}",
            bar,
        ]
    out += _notes(diagnostic.notes)
    if diagnostic.help:
        out.append(f" help: {_safe(diagnostic.help)}")
    if diagnostic.fix:
        out.append(f" fix: {_safe(diagnostic.fix.description)} (apply with --fix)")
    return "\n".join(out) + "\n"


def _notes(notes: Sequence[Note]) -> list[str]:
    """Notes with their messages, places and details in columns."""
    rows = [(_safe(note.message), _place(note.span) if note.span else "", _safe(note.detail)) for note in notes]
    message_width = max((_width(row[0]) for row in rows if row[1]), default=0)
    place_width = max((_width(row[1]) for row in rows if row[2]), default=0)
    lines = []
    for message, place, detail in rows:
        line = f" note: {message}"
        if place:
            line += " " * (message_width - _width(message)) + f"   {place}"
        if detail:
            line += " " * (place_width - _width(place)) + f"   {detail}"
        lines.append(line)
    return lines


def _place(span: Span) -> str:
    return f"{_safe(span.file)}:{span.line}:{span.column}"


def _window(line: str, span: Span) -> tuple[str, int, int]:
    """What to show of a line, how many cells stand before the underline, and how many it has."""
    start = min(span.column - 1, len(line))
    end = len(line) if span.end_line > span.line else min(span.end_column - 1, len(line))
    first = 0
    cut_left = cut_right = ""
    if len(line) > WIDEST:
        first = max(0, min(start - WIDEST // 3, len(line) - WIDEST))
        cut_left, cut_right = "…" if first else "", "…" if first + WIDEST < len(line) else ""
        end = min(end, first + WIDEST)
        line = line[: first + WIDEST]
    before = _cells(line[first:start])
    marked = _cells(line[start:end])
    shown = cut_left + before + _cells(line[first:])[len(before) :] + cut_right
    return shown, _width(cut_left + before), max(1, _width(marked))


def _split(text: str) -> list[str]:
    starts = line_starts(text)
    return [text[a:b].rstrip("\r\n") for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]


def _cells(text: str) -> str:
    return _safe(text.replace("\t", _TAB))


def _safe(text: str) -> str:
    """`text` with what a terminal would not print in its place replaced."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _width(text: str) -> int:
    """How many terminal cells `text` takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _diagnostic_object(diagnostic: Diagnostic) -> dict[str, object]:
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "file": diagnostic.span.file,
        **_range_object(diagnostic.span),
        "notes": [_note_object(note) for note in diagnostic.notes],
        "help": diagnostic.help,
        "fix": _fix_object(diagnostic.fix) if diagnostic.fix else None,
    }


def _range_object(span: Span) -> dict[str, object]:
    return {"line": span.line, "column": span.column, "end_line": span.end_line, "end_column": span.end_column}


def _note_object(note: Note) -> dict[str, object]:
    message = f"{note.message}: {note.detail}" if note.detail else note.message
    span = note.span
    if span is None:
        return {"message": message, "file": None, "line": None, "column": None}
    return {"message": message, "file": span.file, "line": span.line, "column": span.column}


def _fix_object(fix: Fix) -> dict[str, object]:
    return {
        "description": fix.description,
        "edits": [{**_range_object(edit.span), "text": edit.text} for edit in fix.edits],
    }
