"""Text with machine-applicable fixes applied, by place, so that comments and layout stay as they are.

A fix is applied whole or not at all. Of two fixes that touch, the one that comes first in the text is applied; the next
compilation tells whether the other is still wanted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gumpc.diagnostics import Diagnostic, Fix
from gumpc.source import line_starts


class _Change(NamedTuple):
    """Replace `[start, end)` of the text by `text`."""

    start: int
    end: int
    text: str


def apply_fixes(name: str, text: str, diagnostics: Iterable[Diagnostic]) -> tuple[str, tuple[Diagnostic, ...]]:
    """The text of the file `name` after its fixes, and the diagnostics whose fixes were applied."""
    starts = line_starts(text)
    accepted: list[_Change] = []
    fixed: list[Diagnostic] = []
    for diagnostic in diagnostics:
        changes = _changes(name, text, starts, diagnostic.fix) if diagnostic.fix else []
        if changes and not any(_touch(new, old) for new in changes for old in accepted):
            accepted += changes
            fixed.append(diagnostic)
    for change in sorted(accepted, key=lambda c: (c.start, c.end), reverse=True):
        text = text[: change.start] + change.text + text[change.end :]
    return text, tuple(fixed)


def _changes(name: str, text: str, starts: list[int], fix: Fix) -> list[_Change]:
    """The fix as changes of indices; empty when a part of it is not in this text, or parts of it touch each other."""
    changes: list[_Change] = []
    for edit in fix.edits:
        span = edit.span
        if span.file != name or max(span.line, span.end_line) > len(starts):
            return []
        change = _Change(
            starts[span.line - 1] + span.column - 1, starts[span.end_line - 1] + span.end_column - 1, edit.text
        )
        if not change.start <= change.end <= len(text) or any(_touch(change, other) for other in changes):
            return []
        changes.append(change)
    return changes


def _touch(one: _Change, other: _Change) -> bool:
    """True when the order of two changes would matter: they overlap, or one inserts at an end of the other."""
    if one.start == one.end or other.start == other.end:
        return one.start <= other.end and other.start <= one.end
    return one.start < other.end and other.start < one.end
