"""SARIF 2.1.0, which code scanning services and editors read: one run with its rules, results and fixes.

Our spans fit it as they are: lines and columns from 1, columns in code points (`columnKind`), the end exclusive. Notes
with a place are related locations. The fingerprint is the same as GitLab's.
"""

from __future__ import annotations

import json

from gumpc import __version__
from gumpc.codes import CODES
from gumpc.diagnostics import Diagnostic, Edit, Fix
from gumpc.formats import Findings
from gumpc.formats.gitlab import fingerprints
from gumpc.source import Span

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "hint": "note"}
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")


def render(findings: Findings) -> str:
    """The log; without diagnostics it has no results, which says that the check took place."""
    codes = sorted({diagnostic.code for diagnostic in findings.diagnostics})
    marks = fingerprints(findings)
    results = [
        _result(diagnostic, mark, codes.index(diagnostic.code), findings)
        for diagnostic, mark in zip(findings.diagnostics, marks, strict=True)
    ]
    driver = {"name": "gumpc", "semanticVersion": __version__, "rules": [_rule(code) for code in codes]}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(code: str) -> dict[str, object]:
    known = CODES[code]
    return {
        "id": code,
        "shortDescription": {"text": known.title},
        "help": {"text": f"`gumpc check --explain {code}` tells more"},
        "defaultConfiguration": {"level": _LEVELS[known.severity]},
    }


def _result(diagnostic: Diagnostic, mark: str, rule: int, findings: Findings) -> dict[str, object]:
    result: dict[str, object] = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": _LEVELS[diagnostic.severity],
        "message": {"text": findings.details(diagnostic)},
        "locations": [{"physicalLocation": _location(diagnostic.span, findings)}],
        "partialFingerprints": {"gumpc/v1": mark},
    }
    related = [
        {"physicalLocation": _location(note.span, findings), "message": {"text": note.message}}
        for note in diagnostic.notes
        if note.span
    ]
    if related:
        result["relatedLocations"] = related
    if diagnostic.fix:
        result["fixes"] = [_fix(diagnostic.fix, findings)]
    return result


def _location(span: Span, findings: Findings) -> dict[str, object]:
    return {"artifactLocation": _artifact(span, findings), "region": _region(span)}


def _artifact(span: Span, findings: Findings) -> dict[str, str]:
    path = findings.path(span.file).encode("utf-8", "replace")
    return {"uri": "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in path)}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def _fix(fix: Fix, findings: Findings) -> dict[str, object]:
    files = dict.fromkeys(edit.span.file for edit in fix.edits)
    changes = [_change([edit for edit in fix.edits if edit.span.file == file], findings) for file in files]
    return {"description": {"text": fix.description}, "artifactChanges": changes}


def _change(edits: list[Edit], findings: Findings) -> dict[str, object]:
    return {
        "artifactLocation": _artifact(edits[0].span, findings),
        "replacements": [
            {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}} for edit in edits
        ],
    }
