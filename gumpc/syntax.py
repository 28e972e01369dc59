"""The syntax of a workflow file: what the file says, with every shape fault already reported and nothing resolved.

One small class per construct of the language. Strings stay `Scalar`, because templates inside them are located to the
column later. A field that is None was not written; defaults are the IR's business. Both ways to write a step (flat, or
in `get:` and `run:` blocks) give the same syntax.
"""

from __future__ import annotations

from dataclasses import dataclass

from gumpc.nodes import Scalar
from gumpc.source import Span


@dataclass(frozen=True, slots=True)
class Number:
    """A number in range; durations are seconds."""

    value: float
    span: Span


@dataclass(frozen=True, slots=True)
class Flag:
    """`true` or `false`."""

    value: bool
    span: Span


@dataclass(frozen=True, slots=True)
class FileText:
    """`{file: path}`; `file` is a template."""

    file: Scalar
    span: Span


@dataclass(frozen=True, slots=True)
class ContextSyntax:
    """One entry of `context:`; `kind` is `file` or `bash`."""

    kind: str
    value: Scalar
    required: bool
    span: Span


@dataclass(frozen=True, slots=True)
class SessionSyntax:
    """`new`, `own` (retry entries only), `from` with its target step, or `reuse` (edition 3)."""

    mode: str
    target: Scalar | None
    span: Span


@dataclass(frozen=True, slots=True)
class CallSyntax:
    """A call of another workflow with the inputs given to it, as `(name, template)`."""

    workflow: Scalar
    inputs: tuple[tuple[Scalar, Scalar], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class GuardSyntax:
    """Live limits on one attempt."""

    max_turns: Number | None = None
    max_budget: Number | None = None
    max_tokens: Number | None = None
    max_time: Number | None = None
    no_write: Flag | None = None


@dataclass(frozen=True, slots=True)
class GateSyntax:
    """One gate. `arguments` are its globs, its command or its percentage; `call` is set for `validate`."""

    kind: str
    span: Span
    arguments: tuple[Scalar, ...] = ()
    threshold: Number | None = None
    call: CallSyntax | None = None
    name: Scalar | None = None
    cache: bool = True


@dataclass(frozen=True, slots=True)
class RetrySyntax:
    """One entry of `retry:`; `condition` is `attempt`, `not`, `validate`, `on` or `exit`."""

    condition: str
    span: Span
    count: Number | None = None
    gate: Scalar | None = None
    kind: Scalar | None = None
    call: CallSyntax | None = None
    agent: Scalar | None = None
    session: SessionSyntax | None = None
    reset: bool = False
    prompt: Scalar | FileText | None = None
    restart_from: Scalar | None = None
    replan: Scalar | None = None


@dataclass(frozen=True, slots=True)
class StepSyntax:
    """One step; `kind` is `agent`, `gate`, `group` or `call`.

    Edition 3 alone sets `retry_by_kind` (policies for failures of one kind) and `foreach` (the split whose tasks a
    group goes over).
    """

    kind: str
    name: Scalar
    span: Span
    type: Scalar | None = None
    prompt: Scalar | FileText | None = None
    context: tuple[ContextSyntax, ...] = ()
    worktree: Scalar | None = None
    session: SessionSyntax | None = None
    get_workflow: CallSyntax | None = None
    inputs: tuple[Scalar, ...] = ()
    agent: Scalar | None = None
    guard: GuardSyntax = GuardSyntax()
    hitl: Scalar | None = None
    gates: tuple[GateSyntax, ...] = ()
    retry: tuple[RetrySyntax, ...] = ()
    retry_by_kind: tuple[tuple[str, tuple[RetrySyntax, ...]], ...] = ()
    foreach: Scalar | None = None
    each: tuple[StepSyntax, ...] = ()
    steps: tuple[StepSyntax, ...] = ()
    parallel: bool = False
    blast_radius: Scalar | None = None
    call: CallSyntax | None = None
    cache: Flag | None = None


@dataclass(frozen=True, slots=True)
class InputSyntax:
    """An input that edition 3 declares; one that is not required has a default, if need be the empty text."""

    name: Scalar
    default: Scalar | None


@dataclass(frozen=True, slots=True)
class WorkflowSyntax:
    """One workflow file; `inputs` are those that edition 3 declares."""

    name: Scalar
    span: Span
    description: Scalar | None = None
    max_budget: Number | None = None
    max_timeout: Number | None = None
    max_tokens: Number | None = None
    steps: tuple[StepSyntax, ...] = ()
    edition: int = 4
    inputs: tuple[InputSyntax, ...] = ()
