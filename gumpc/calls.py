"""Calls bound to their callees: each input of a called workflow gets the value that is given, or the caller's own.

A caller's own inputs are known only when all of its templates have been read, so an input that is left to the caller
is bound at once and checked at the end; the order of steps in the file makes no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field

from gumpc import ir, walk
from gumpc.diagnostics import Collector, Note
from gumpc.nearest import nearest
from gumpc.nodes import Scalar
from gumpc.source import Span
from gumpc.syntax import CallSyntax

SPEC = "spec"


@dataclass(slots=True)
class Calls:
    """Binds the calls of one workflow; `find` gives the IR of a callee, or None when it has faults of its own."""

    find: Callable[[Scalar], ir.Workflow | None]
    collector: Collector
    _inherited: list[tuple[str, CallSyntax, ir.Workflow]] = field(default_factory=list)

    def bind(self, call: CallSyntax, given: Mapping[str, ir.Template], *, judges: bool) -> ir.Invocation:
        """The call with a value for each input that its callee reads; one that `judges` must end in a verdict."""
        callee = self.find(call.workflow)
        if callee is None:
            empty = ir.Workflow(call.workflow.value, (), ir.Limits(), (), call.span.file, call.span)
            return ir.Invocation(empty, (), call.span)
        if judges:
            self._require_verdict(call, callee)
        self._report_unused(call, callee)
        bound = [ir.Binding(name, value) for name, value in given.items() if name in callee.inputs or name == SPEC]
        defaults = dict(callee.defaults)
        for name in callee.inputs:
            if name not in given and name in defaults:
                bound.append(ir.Binding(name, ir.Template((ir.Text(defaults[name]),), call.span)))
            elif name not in given:
                self._inherited.append((name, call, callee))
                reference = ir.Reference(ir.InputTarget(name), f"{{{name}}}", call.span)
                bound.append(ir.Binding(name, ir.Template((reference,), call.span)))
        return ir.Invocation(callee, tuple(sorted(bound, key=lambda binding: binding.name)), call.span)

    def report_missing(self, own: Container[str]) -> None:
        """Report each input that a call does not give and that is no input of the caller, whose inputs are `own`."""
        for name, call, callee in self._inherited:
            if name in own:
                continue
            use = _first_use(callee, name)
            self.collector.add(
                "G311",
                f"the call of `{call.workflow.value}` does not give its input `{name}`",
                call.workflow.span,
                label=f"`{name}` is missing",
                notes=[Note(f"`{callee.name}` reads it here", use)] if use else [],
                help=f"add `{name}: …` to the call",
            )

    def _require_verdict(self, call: CallSyntax, callee: ir.Workflow) -> None:
        last = callee.steps[-1]
        if not (isinstance(last, ir.AgentStep) and last.type == "validate"):
            self.collector.add(
                "G507",
                f"`{callee.name}` gives no verdict: its last step is not a validate step",
                call.workflow.span,
                label="not a validator",
                notes=[Note("its last step is here", last.span)],
                help="end it with a step of `type: validate`",
            )

    def _report_unused(self, call: CallSyntax, callee: ir.Workflow) -> None:
        for key, _ in call.inputs:
            name = key.value
            if name in callee.inputs or name == SPEC:
                continue
            close = nearest(name, callee.inputs)
            self.collector.add(
                "G312",
                f"`{callee.name}` never reads its input `{name}`",
                key.span,
                label=f"did you mean `{close}`?" if close else "not used",
                help=f"its inputs: {', '.join(callee.inputs) or 'none'}",
            )


def _first_use(callee: ir.Workflow, name: str) -> Span | None:
    """Where a workflow reads its input."""
    references = (reference for step in walk.steps(callee) for reference in walk.references(step))
    return next((r.span for r in references if r.target == ir.InputTarget(name)), None)
