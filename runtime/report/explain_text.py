"""Why a step ran or was skipped: the parts of its key now and before, and what differs in those that changed.

The parts and their fields come from the manifest that was hashed, so what stands here is what decided.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from runtime.report.columns import Cell, Column, Style, clip, columns, paint, paragraph
from runtime.report.figures import number_of
from runtime.report.model import text_lines
from runtime.results import Latest

SHOWN_LINES = 20
SHOWN_FILES = 20
DIGEST = 7

_SHAPE = (Column(), Column(), Column(rank=1, minimum=8))
_INDENT = "  "


def explain_text(
    step_id: str,
    *,
    run_id: str,
    happened: str,
    reason: str,
    now: Latest,
    before: Latest | None,
    changed_files: Sequence[tuple[str, str, str]] | Sequence[tuple[str, str]] = (),
    width: int,
    color: bool = False,
    hint: str = "",
) -> str:
    """The explanation of one step in one run; ends with a line end.

    Args:
        run_id: the run's id, as it is to be shown.
        happened: `ran` or `was skipped`.
        reason: why, in the words of the decision.
        now: what the key is made of.
        before: what it was made of when the step last passed; None when it never did.
        changed_files: letter and path of each file by which the trees differ, with the step that wrote it, if known.
        hint: a line on how the step could have been skipped.
    """
    head = f"{step_id} {happened} in {run_id}" + (f": {reason}" if reason else "")
    lines = [*paragraph(head, width=width, hang=_INDENT), ""]
    names = list(dict.fromkeys([*now.parts, *(before.parts if before else ())]))
    table = columns([_part(name, now, before) for name in names], _SHAPE, width=width, color=color)
    for name, line in zip(names, table, strict=True):
        lines.append(line)
        if before is not None and _has_changed(name, now, before):
            lines += _difference(name, now, before, changed_files, width, color)
    if before is None:
        lines += ["", f"{_INDENT}this step has not passed here before, so there is nothing to compare with"]
    if hint:
        lines += ["", f"{_INDENT}{hint}"]
    return "\n".join(lines) + "\n"


def _part(name: str, now: Latest, before: Latest | None) -> list[Cell | str]:
    digest = _short(now.parts.get(name, ""))
    if before is None:
        return [name, Cell("new", "busy"), _told(name, now) or digest]
    if not _has_changed(name, now, before):
        return [name, Cell("same", "good"), _told(name, now) or digest]
    return [name, Cell("changed", "warn"), f"{_short(before.parts.get(name, ''))} → {digest}"]


def _told(name: str, latest: Latest) -> str:
    """What a part is, where that says more than its digest."""
    fields = latest.fields.get(name, ())
    if not fields:
        return "(none)"
    return "new" if name == "session" and fields[0][1] == "new" else ""


def _short(digest: str) -> str:
    return f"{digest[:DIGEST]}…" if digest else "(none)"


def _has_changed(name: str, now: Latest, before: Latest) -> bool:
    return now.parts.get(name) != before.parts.get(name)


def _difference(
    name: str,
    now: Latest,
    before: Latest,
    files: Sequence[tuple[str, ...]],
    width: int,
    color: bool,
) -> list[str]:
    if name == "tree":
        return _files(files, width)
    old, new = dict(before.fields.get(name, ())), dict(now.fields.get(name, ()))
    labels = [label for label in dict.fromkeys([*old, *new]) if old.get(label) != new.get(label)]
    return [line for label in labels for line in _field(label, old.get(label), new.get(label), width, color)]


def _field(label: str, old: str | None, new: str | None, width: int, color: bool) -> list[str]:
    """A field's change: on one line when both values are short, else as the lines that differ."""
    margin = _INDENT * 3
    if old is None or new is None:
        return [clip(f"{margin}{label}: {'added' if old is None else 'removed'}", width)]
    if "\n" not in old + new and len(old) + len(new) + len(label) < 60:
        return [clip(f"{margin}{label}: {old or '(empty)'} → {new or '(empty)'}", width)]
    diff = list(difflib.unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm=""))[2:]
    shown = [_diff_line(line, margin, width, color) for line in diff[:SHOWN_LINES]]
    more = len(diff) - SHOWN_LINES
    head = [f"{margin}{label}:"] if label != "text" else []
    return [*head, *shown, *([f"{margin}… {number_of(more, 'more line')}"] if more > 0 else [])]


def _diff_line(line: str, margin: str, width: int, color: bool) -> str:
    style: Style = "good" if line.startswith("+") else "bad" if line.startswith("-") else "faint"
    text = next(iter(text_lines(line)), "")
    return paint(clip(margin + text, width), style, color)


def _files(files: Sequence[tuple[str, ...]], width: int) -> list[str]:
    rows = [[letter, path, f"(written by {by[0]})" if by and by[0] else ""] for letter, path, *by in files]
    shape = (Column(), Column(rank=2, minimum=30, cut="middle"), Column(rank=1, minimum=12))
    shown = columns(rows[:SHOWN_FILES], shape, width=width, indent=_INDENT * 3)
    more = len(rows) - SHOWN_FILES
    return [*shown, *([f"{_INDENT * 3}… {number_of(more, 'more file')}"] if more > 0 else [])]
