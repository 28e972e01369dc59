"""Reads what test runners and coverage tools print: who failed, the total percentage, text fit for a prompt.

These are the printed forms that people read, not reports made for programs, because the command may be the project's
own. What is not understood is no fault: the text itself still goes into the error.
"""

from __future__ import annotations

import re
from collections import Counter

from gumpc.values import cut_middle

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]")
_OVERWRITTEN = re.compile(r"[^\n]*\r(?=[^\n])")


def plain_text(output: bytes) -> str:
    """Terminal output as text: no colours, of lines drawn over and over (progress) the last state, no NUL."""
    text = output.decode("utf-8", "replace").replace("\r\n", "\n")
    return _OVERWRITTEN.sub("", _ESCAPES.sub("", text)).replace("\0", "\N{REPLACEMENT CHARACTER}").strip("\n")


def error_text(stdout: str, stderr: str, *, limit: int) -> str:
    """What a failed command printed, in at most `limit` characters, a test runner's summary first.

    Many tools report on standard output (pytest, go test, tsc, jest) and warn on standard error, others the reverse:
    both are kept, each with the room that the other leaves. Of standard output the end matters most.
    """
    summary = pytest_summary(stdout)[: limit // 4]
    room = limit - len(summary) - 1 if summary else limit
    half = room // 2
    for_stderr = max(half, room - len(stdout) - 1)
    shown_stderr = cut_middle(stderr, for_stderr if stdout.strip() else room)
    rest = room - len(shown_stderr) - 1 if shown_stderr.strip() else room
    shown_stdout = cut_middle(stdout, rest, head=0.25)
    return "\n".join(part for part in (summary, shown_stderr, shown_stdout) if part.strip())


_SUMMARY = re.compile(r"^=+ short test summary info =+$", re.MULTILINE)
_OUTCOME = re.compile(r"^(FAILED|ERROR) (\S.*?)(?:::.*| - .*)?$", re.MULTILINE)
_WORDS = {"FAILED": ("failed", "failed"), "ERROR": ("error", "errors")}
_MAX_FILES = 5


def pytest_summary(stdout: str) -> str:
    """Pytest's failures in one line, as in `2 failed in tests/test_auth.py`; empty for any other output."""
    header = _SUMMARY.search(stdout)
    if header is None:
        return ""
    outcomes = _OUTCOME.findall(stdout, header.end())
    counts = Counter(outcome for outcome, _ in outcomes)
    parts = []
    for outcome, count in sorted(counts.items(), reverse=True):
        files = list(dict.fromkeys(file for kind, file in outcomes if kind == outcome))
        parts.append(f"{count} {_WORDS[outcome][count > 1]} in {listed(files, limit=_MAX_FILES)}")
    return "; ".join(parts)


def listed(names: list[str] | tuple[str, ...], *, limit: int = 20) -> str:
    """Names joined by commas, those beyond `limit` as a count."""
    shown = ", ".join(names[:limit])
    return f"{shown} and {len(names) - limit:,} more" if len(names) > limit else shown


_TOTALS = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"^total:\s+\(statements\)\s+(\d+(?:\.\d+)?)%",  # go tool cover
        r"^TOTAL\s.*?(\d+(?:\.\d+)?)%[^%\n]*$",  # coverage.py, llvm-cov
        r"^All files\s*\|\s*(\d+(?:\.\d+)?)\s*\|",  # istanbul: jest, vitest, nyc, c8
        r"^Lines\s*:\s*(\d+(?:\.\d+)?)%",  # istanbul's summary
        r"^(\d+(?:\.\d+)?)% coverage,",  # cargo tarpaulin
        r"^\s*(\d+(?:\.\d+)?)\s*%?\s*$",  # a command of the project's own that prints the figure
    )
)


def coverage_percent(output: str) -> float | None:
    """The total percentage that a coverage tool printed last, or None when there is none between 0 and 100."""
    for pattern in _TOTALS:
        found = pattern.findall(output)
        if found and float(found[-1]) <= 100:
            return float(found[-1])
    return None
