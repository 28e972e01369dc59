"""GitLab's code quality report: a JSON list, which a job hands over as an artifact.

GitLab tells new faults from old ones by their fingerprints. One is made of the code, the file, the message and the text
of the line, not of its number, so lines added above change nothing; equal ones in a file are counted.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter

from gumpc.diagnostics import Diagnostic
from gumpc.formats import Findings
from gumpc.source import line_starts

_SEVERITIES = {"error": "major", "warning": "minor", "hint": "info"}


def render(findings: Findings) -> str:
    """The report; an empty list without diagnostics."""
    marks = fingerprints(findings)
    issues = [
        {
            "description": f"{diagnostic.code}: {diagnostic.message}",
            "check_name": diagnostic.code,
            "content": {"body": findings.details(diagnostic)},
            "fingerprint": mark,
            "severity": _SEVERITIES[diagnostic.severity],
            "location": {
                "path": findings.path(diagnostic.span.file),
                "lines": {"begin": diagnostic.span.line, "end": diagnostic.span.end_line},
            },
        }
        for diagnostic, mark in zip(findings.diagnostics, marks, strict=True)
    ]
    return json.dumps(issues, indent=2) + "\n"


def fingerprints(findings: Findings) -> list[str]:
    """For each diagnostic, what stays the same when the lines above it change."""
    lines = {name: _lines(text) for name, text in findings.sources.items()}
    seen: Counter[tuple[str, ...]] = Counter()
    marks = []
    for diagnostic in findings.diagnostics:
        parts = (
            diagnostic.code,
            findings.path(diagnostic.span.file),
            diagnostic.message,
            _line(lines.get(diagnostic.span.file, []), diagnostic),
        )
        seen[parts] += 1
        marks.append(hashlib.sha256("\0".join((*parts, str(seen[parts]))).encode("utf-8", "replace")).hexdigest())
    return marks


def _lines(text: str) -> list[str]:
    starts = line_starts(text)
    return [text[start:end].strip() for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def _line(lines: list[str], diagnostic: Diagnostic) -> str:
    number = diagnostic.span.line
    return lines[number - 1] if number <= len(lines) else ""
