"""GitHub annotations: one workflow command a line, on the standard output of a job's step.

Line breaks and `%` are escaped in all parts of a command, `:` and `,` in its properties too, since they end one. The
end of a line range is shown only with columns left out: GitHub takes columns for one line alone.
"""

from __future__ import annotations

from gumpc.codes import CODES
from gumpc.diagnostics import Diagnostic
from gumpc.formats import Findings

_COMMANDS = {"error": "error", "warning": "warning", "hint": "notice"}


def render(findings: Findings) -> str:
    """The commands, in order; empty without diagnostics."""
    return "".join(f"{_command(diagnostic, findings)}\n" for diagnostic in findings.diagnostics)


def _command(diagnostic: Diagnostic, findings: Findings) -> str:
    span = diagnostic.span
    properties: dict[str, object] = {"file": findings.path(span.file), "line": span.line}
    if span.line == span.end_line:
        properties |= {"col": span.column, "endColumn": max(span.column, span.end_column)}
    else:
        properties["endLine"] = span.end_line
    properties["title"] = f"{diagnostic.code}: {CODES[diagnostic.code].title}"
    written = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{_COMMANDS[diagnostic.severity]} {written}::{_message(findings.details(diagnostic))}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
