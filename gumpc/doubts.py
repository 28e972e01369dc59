"""What the parser could not read, so that nothing is called missing because of it: one fault, one diagnostic.

After a fault of shape the resolver still runs, because people want all faults at once. But a step that the parser
dropped is not undefined, and a field, gate or retry that stands in a faulty step may well be there. So whoever is
about to say that something is not there asks here first. Faults that are there whatever was lost (ambiguous, later,
in another branch) are always told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gumpc.nearest import nearest
from gumpc.nodes import Mapping, Node, Scalar, Sequence
from gumpc.parse_values import NAME
from gumpc.source import Span
from gumpc.syntax import StepSyntax, WorkflowSyntax

_STEPS = ("steps", "each")


@dataclass(frozen=True, slots=True)
class Doubts:
    """The names of dropped steps, the steps with a fault in them, and whether something nameless was dropped."""

    names: frozenset[str] = frozenset()
    damaged: frozenset[Span] = frozenset()
    anything: bool = False

    def about_name(self, name: str) -> bool:
        """True when a step of this name may stand in the file although it is not among the steps."""
        return self.anything or name in self.names

    def about(self, step: StepSyntax) -> bool:
        """True when the step may have more (fields, gates, a retry, steps below it) than was read of it."""
        return self.anything or step.name.span in self.damaged


NO_DOUBTS = Doubts()


def find_doubts(root: Node, workflow: WorkflowSyntax, faults: Iterable[Span]) -> Doubts:
    """What the places of the faults so far, and the steps that are missing in the syntax, leave open."""
    faults = tuple(faults)
    if not faults or not isinstance(root, Mapping):
        return NO_DOUBTS
    kept = {step.name.span for step in _all_steps(workflow.steps)}
    written = tuple(_written(root))
    names = [item.get("name") for item in written if isinstance(item, Mapping)]
    dropped = {name.value for name in names if isinstance(name, Scalar) and name.span not in kept}
    nameless = len(names) < len(written) or any(not _is_name(name) for name in names)
    shared = [value for key, value in root.entries if key.value.startswith("x-")]
    in_shared = any(_holds(value.span, fault) for value in shared for fault in faults)
    damaged = {name.span for fault in faults if isinstance(name := _step_at(fault, written), Scalar)}
    return Doubts(frozenset(dropped), frozenset(damaged & kept), nameless or in_shared)


def _is_name(node: Node | None) -> bool:
    return isinstance(node, Scalar) and NAME.fullmatch(node.value) is not None


def _step_at(fault: Span, written: tuple[Node, ...]) -> Node | None:
    """The name of the innermost step that holds the fault; outer steps come before inner ones."""
    around = [item for item in written if isinstance(item, Mapping) and _holds(item.span, fault)]
    return around[-1].get("name") if around else None


def _written(node: Node) -> Iterator[Node]:
    """Every item below `node` of what is, or was to be, a list of steps; outer ones first."""
    if isinstance(node, Mapping):
        for name, value in node.entries:
            if name.value in _STEPS or nearest(name.value, _STEPS):
                yield from _written_in(value)


def _written_in(node: Node) -> Iterator[Node]:
    for item in node.items if isinstance(node, Sequence) else ():
        yield item
        yield from _written(item)


def _all_steps(steps: tuple[StepSyntax, ...]) -> Iterator[StepSyntax]:
    for step in steps:
        yield step
        yield from _all_steps((*step.each, *step.steps))


def _holds(outer: Span, inner: Span) -> bool:
    start, end = (outer.line, outer.column), (outer.end_line, outer.end_column)
    return start <= (inner.line, inner.column) < end
