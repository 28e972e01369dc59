"""What is said of a reference that names nothing, or not one thing: one function per fault, none of which decides.

The wording follows one order: the fault, what stands where, and how to write what was probably meant.
"""

from __future__ import annotations

from dataclasses import dataclass

from gumpc.diagnostics import Collector, Edit, Fix, Note
from gumpc.fields import FIELDS, gate_aliases, kind_of
from gumpc.nearest import nearest
from gumpc.scopes import Block, Known
from gumpc.source import Span
from gumpc.template import PathSyntax

_POSITIONS = {
    "gate": "a gate",
    "context": "`context`",
    "agent": "`agent`",
    "with": "the inputs of a call",
    "prompt": "a prompt",
    "retry": "`retry`",
}


@dataclass(frozen=True, slots=True)
class NameReports:
    """Diagnostics about names; `written` is a reference as the file spells it, braces included.

    `prefix` stands before a step's name in a reference: `steps.` in edition 3.
    """

    collector: Collector
    prefix: str = ""

    def step_without_field(self, written: str, found: Known, span: Span) -> None:
        """`{impl}`: which field?"""
        name, fields = found.step.name.value, FIELDS[kind_of(found.step)]
        self.collector.add(
            "G302",
            f"`{written}` names a step, but not which of its fields",
            span,
            label="a step's value needs a field",
            notes=[_here(found)],
            help=f"write for example {{{self.prefix}{name}.{fields[0]}}}; it writes: {', '.join(fields)}",
        )

    def other_edition(self, written: str, edition: int, start: str | None, path: PathSyntax, span: Span) -> None:
        """A form of the other edition; `start` is what stands before the fields in this one, None where it has none."""
        new = None if start is None else f"{{{start}{'.'.join(path.fields)}}}"
        self.collector.add(
            "G110",
            f"`{written}` belongs to edition {edition}; this file is of edition {7 - edition}",
            span,
            help=f"write `{new}`" if new else "this edition has nothing in its place",
            fix=Fix(f"change to `{new}`", (Edit(span, new),)) if new else None,
        )

    def close_to_builtin(self, written: str, close: str, span: Span) -> None:
        """`{sepc}`: a slip rather than an input."""
        self.collector.add(
            "G302",
            f"`{written}` is not defined",
            span,
            label=f"did you mean `{{{close}}}`?",
            help="an input of the workflow may have any name that is not so close to a built-in one",
        )

    def star_alone(self, written: str, span: Span) -> None:
        """`{*}` or `{*.diff}`: all tasks of what?"""
        self.collector.add(
            "G202",
            f"`{written}` does not say whose tasks `*` stands for",
            span,
            help="write {SPLIT/*/STEP.FIELD} for all tasks of a split, or {{*}} for the text itself",
        )

    def outside_each(self, written: str, span: Span) -> None:
        """A task's variable where there is no task."""
        self.collector.add(
            "G307",
            f"`{written}` stands outside an `each`",
            span,
            label="there is no task here",
            help="task variables have a value only in the steps under a split's `each:`",
        )

    def no_meaning(self, written: str, position: str, span: Span, *, in_gates: bool) -> None:
        """A value of the step's own attempts, where it has none."""
        self.collector.add(
            "G315",
            f"`{written}` has no meaning in {_POSITIONS[position]}",
            span,
            label="a value of the step's own attempts",
            help="it can be used in the step's `prompt` and `retry`"
            + (", and in its gates' inputs" if in_gates else ""),
        )

    def never_retried(self, written: str, span: Span) -> None:
        """A value that only a second attempt could have."""
        value = "`1`" if written == "{attempt}" else "empty"
        self.collector.add(
            "G313",
            f"`{written}` is always {value} here, because this step has no `retry`",
            span,
            label="only a later attempt gives it a value",
            help="add a `retry:` block or remove the reference",
        )

    def no_gate(self, step: str, gate: str, names: tuple[str, ...], span: Span, *, prefix: str = "") -> None:
        """A gate that the step does not have."""
        close = nearest(gate, gate_aliases(names))
        self.collector.add(
            "G308",
            f"step `{step}` has no gate named `{gate}`",
            span,
            label=f"did you mean `{prefix}{close}`?" if close else "no such gate",
            help=f"it has: {', '.join(names)}" if names else "it has no gate",
        )

    def no_field(self, written: str, owner: str, fields: tuple[str, ...], name: str, span: Span) -> None:
        """A field that its owner does not write, or no field at all."""
        close = nearest(name, fields) if name else None
        said = f"{owner} does not write `{name}`" if name else f"`{written}` does not say which field of {owner}"
        label = f"did you mean `{close}`?" if close else ""
        self.collector.add("G306", said, span, label=label, help=f"it writes: {', '.join(fields)}")

    def undefined(self, name: str, block: Block, known: tuple[Known, ...], span: Span) -> None:
        """No step has this name."""
        visible = sorted({k.step.name.value for b in block.outward() for k in b.steps})
        close = nearest(name, {*visible, *(k.step.name.value for k in known), "task", "gate", "prev"})
        self.collector.add(
            "G302",
            f"there is no step named `{name}`",
            span,
            label=f"did you mean `{close}`?" if close else "not defined",
            help=f"visible here: {', '.join(visible)}",
        )

    def not_in_scope(self, name: str, suffix: str, others: tuple[Known, ...], span: Span) -> None:
        """The name stands elsewhere; each full path is told."""
        self.collector.add(
            "G303",
            f"step `{name}` is not in scope here",
            span,
            label="it stands in another block",
            notes=[Note(f"{_written(k.written_path, suffix)} is here", k.step.name.span) for k in others],
            help="write the full path; below a split, name the task or write `*` for all tasks",
        )

    def ambiguous(self, name: str, suffix: str, found: tuple[Known, ...], block: Block, span: Span) -> None:
        """Several visible steps have this name; nothing is resolved by proximity."""
        notes = []
        for number, known in enumerate(found):
            is_here = known.block is block
            write = _written(f"./{name}" if is_here else known.written_path, suffix)
            where = "in this block" if is_here else "at the root" if known.block.owner is None else "in an outer block"
            which = "one is here" if number == 0 else "the other is here" if len(found) == 2 else "another is here"
            notes.append(Note(f"{which}, {where}: {write}", known.step.name.span))
        self.collector.add(
            "G301",
            f"`{name}` is ambiguous here",
            span,
            label=f"{len(found)} steps of this name are visible",
            notes=notes,
            help="write the one you mean, or rename one of the steps",
        )

    def no_such_path(self, written: str, name: str, owner: str, names: tuple[str, ...], span: Span) -> None:
        """A path breaks off at `name`, below `owner`."""
        close = nearest(name, names)
        self.collector.add(
            "G302",
            f"`{written}` leads to no step: there is no `{name}`" + (f" in `{owner}`" if owner else ""),
            span,
            label=f"did you mean `{close}`?" if close else "not defined",
            help=f"steps there: {', '.join(names) or 'none'}",
        )

    def ends_at_task(self, written: str, split: Known, span: Span) -> None:
        """`{decompose/*}`: a step must follow."""
        inner = [k.step.name.value for k in split.inner.steps] if split.inner else []
        self.collector.add(
            "G302",
            f"`{written}` ends at a task of `{split.step.name.value}`, not at a step",
            span,
            label="a step's name must follow",
            help=f"its steps: {', '.join(inner)}",
        )

    def itself(self, known: Known, span: Span) -> None:
        """A step reads its own result."""
        self.collector.add(
            "G305",
            f"step `{known.step.name.value}` refers to itself",
            span,
            label="it has written nothing yet",
            help="the values of its attempt before are {prev.output}, {prev.diff}, …",
        )

    def other_branch(self, known: Known, group: Known, span: Span) -> None:
        """The two steps may run at the same time."""
        self.collector.add(
            "G314",
            f"`{known.step.name.value}` runs in another branch of the parallel group `{group.step.name.value}`",
            span,
            label="it may not have run yet",
            notes=[_here(known)],
            help="make the group sequential, or read the value after the group",
        )

    def not_over(self, known: Known, span: Span, *, running: bool) -> None:
        """The step runs later, or has begun and is not over."""
        name = known.step.name.value
        self.collector.add(
            "G304",
            f"`{name}` is still running here" if running else f"`{name}` runs later than this step",
            span,
            label="it has written nothing yet",
            notes=[_here(known)],
            help="refer to a step that is over, or move this one behind it",
        )


def _written(path: str, suffix: str) -> str:
    """A reference to a field; where a bare step is named (a session's target), its path."""
    return f"{{{path}{suffix}}}" if suffix else path


def _here(known: Known) -> Note:
    return Note(f"`{known.step.name.value}` is here", known.step.name.span)
