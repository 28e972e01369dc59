"""Diagnostics in the forms that services of CI read, one module per form; each has `render(findings)`.

A service shows a diagnostic beside the changed lines, so it wants paths from the root of the repository, wherever the
command was called. What a terminal shows in several parts is one text here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gumpc.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True)
class Findings:
    """What a check found: diagnostics in order, each text by its file's shown name, the names of what was checked.

    `failing` are the severities that make the check fail; `path` maps a shown name to a path in the repository.
    """

    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str]
    files: tuple[str, ...]
    failing: tuple[str, ...]
    path: Callable[[str], str]

    def details(self, diagnostic: Diagnostic) -> str:
        """All that is said of a fault but its code, a line for each part."""
        label = f": {diagnostic.label}" if diagnostic.label else ""
        lines = [f"{diagnostic.message}{label}"]
        for note in diagnostic.notes:
            span = note.span
            place = f" ({self.path(span.file)}:{span.line}:{span.column})" if span else ""
            detail = f": {note.detail}" if note.detail else ""
            lines.append(f"note: {note.message}{place}{detail}")
        lines += [f"help: {diagnostic.help}"] if diagnostic.help else []
        lines += [f"fix: {diagnostic.fix.description}"] if diagnostic.fix else []
        return "\n".join(lines)
