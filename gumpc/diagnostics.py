"""Diagnostics as plain data: what is wrong, where, and what to do; how they look is decided in `gumpc.render`.

Every phase collects into a `Collector` and goes on, so that one run reports every fault of a file. A code's severity
and title come from `gumpc.codes`, the one table from which the documentation is made too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from gumpc.codes import CODES
from gumpc.source import Span


@dataclass(frozen=True, slots=True)
class Note:
    """A remark that points to another place, or to none when `span` is None; `detail` is shown after the place."""

    message: str
    span: Span | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text under `span` by `text`."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A repair that a machine may apply without asking."""

    description: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One fault. `label` stands under the underlined text; `help` says what to do."""

    code: str
    message: str
    span: Span
    label: str = ""
    notes: tuple[Note, ...] = ()
    help: str = ""
    fix: Fix | None = None

    @property
    def severity(self) -> str:
        """`error`, `warning` or `hint`, as the code table says."""
        return CODES[self.code].severity


@dataclass(slots=True)
class Collector:
    """Where phases put diagnostics while they go on."""

    found: list[Diagnostic] = field(default_factory=list)

    def add(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        label: str = "",
        notes: Iterable[Note] = (),
        help: str = "",
        fix: Fix | None = None,
    ) -> None:
        """Record one fault; the code must be in `gumpc.codes`."""
        self.found.append(Diagnostic(code, message, span, label, tuple(notes), help, fix))

    @property
    def has_errors(self) -> bool:
        """True when something stands in the way of a plan."""
        return any(d.severity == "error" for d in self.found)

    def sorted(self) -> tuple[Diagnostic, ...]:
        """By file, line, column and code, each fault once."""
        return tuple(sorted(dict.fromkeys(self.found), key=lambda d: (d.span, d.code, d.message)))
