"""From a reference as written to what it names, or to the diagnostic that says why it names nothing.

One function per form of reference. Every check of the language's section on names is here: visibility, ambiguity, the
order of execution, parallel branches, and the fields that the producer writes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gumpc.diagnostics import Collector, Note
from gumpc.fields import ATTEMPT, FIELDS, TASK, gate_aliases, gate_names, kind_of
from gumpc.ir import ALL, EACH, AttemptTarget, InputTarget, RunTarget, StepTarget, Target, TaskTarget
from gumpc.nearest import nearest
from gumpc.scopes import Block, Known, Scopes, enclosing_split, parallel_siblings
from gumpc.source import Span
from gumpc.syntax import WorkflowSyntax
from gumpc.template import PathSyntax

BUILTIN_NAMES = ("spec", *ATTEMPT, "task.name", "task.description", "task.files")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reference stands: in which step, and in what (`prompt`, `retry`, `gate`, `context`, `agent`, `with`)."""

    known: Known
    position: str

    @property
    def block(self) -> Block:
        """The block whose names are visible here."""
        return self.known.block


@dataclass(slots=True)
class References:
    """Resolves the references of one workflow and keeps the names of its inputs."""

    workflow: WorkflowSyntax
    scopes: Scopes
    collector: Collector
    inputs: dict[str, Span] = field(default_factory=dict)

    def resolve(self, path: PathSyntax, span: Span, place: Place) -> Target | None:
        """What `path` names at `place`; None after reporting why it names nothing."""
        first = path.segments[0]
        if path.anchor or len(path.segments) > 1:
            return self._by_full_path(path, span, place)
        if first == "task":
            return self._task(path, span, place)
        if first in ("gate", "prev") and path.fields:
            return self._attempt(path, span, place, ".".join((first, *path.fields)))
        if not path.fields:
            return self._single(first, path, span, place)
        return self._by_short_name(path, span, place)

    def step(self, name: str, span: Span, place: Place) -> Known | None:
        """The earlier step that a bare step name (a session's target) means."""
        path = PathSyntax("", (name,), (), name, 0, 0)
        if "/" in name:
            anchor = "./" if name.startswith("./") else "/"
            segments = tuple(s for s in name.removeprefix("./").split("/") if s)
            path = PathSyntax(anchor, segments, (), name, 0, 0)
            found = self._walk(path, span, place)
            return found[0] if found and self._has_run(found[0], found[1], span, place) else None
        known = self._visible(path, span, place)
        return known if known and self._has_run(known, known.path, span, place) else None

    def _single(self, name: str, path: PathSyntax, span: Span, place: Place) -> Target | None:
        if name in ATTEMPT:
            if name == "diff" and place.position != "gate" and kind_of(place.known.step) not in ("code", "gate"):
                return self._input(name, span)
            return self._attempt(path, span, place, name)
        if name == "spec":
            return InputTarget("spec")
        if found := self.scopes.visible(place.block, name):
            fields = FIELDS[kind_of(found[0].step)]
            self.collector.add(
                "G302",
                f"`{path.written}` names a step, but not which of its fields",
                span,
                label="a step's value needs a field",
                notes=[Note(f"step `{name}` is here", found[0].step.name.span)],
                help=f"write for example {{{name}.{fields[0]}}}; it writes: {', '.join(fields)}",
            )
            return None
        close = nearest(name, BUILTIN_NAMES)
        if close and name not in self.inputs:
            self.collector.add(
                "G302",
                f"`{path.written}` is not defined",
                span,
                label=f"did you mean `{{{close}}}`?",
                help="an input of the workflow may have any name that is not so close to a built-in one",
            )
            return None
        return self._input(name, span)

    def _input(self, name: str, span: Span) -> Target:
        self.inputs.setdefault(name, span)
        return InputTarget(name)

    def _task(self, path: PathSyntax, span: Span, place: Place) -> Target | None:
        split = enclosing_split(place.block)
        if split is None:
            self.collector.add(
                "G307",
                f"`{path.written}` stands outside an `each`",
                span,
                label="there is no task here",
                help="task variables have a value only in the steps under a split's `each:`",
            )
            return None
        field_name = ".".join(path.fields)
        if field_name not in TASK:
            self._no_field(path, span, "a task", TASK, field_name)
            return None
        return TaskTarget(split.path, field_name)

    def _attempt(self, path: PathSyntax, span: Span, place: Place, name: str) -> Target | None:
        step = place.known.step
        if step.kind == "gate" and name in ("diff", "output"):
            return RunTarget(name)
        if place.position not in ("prompt", "retry") and not (place.position == "gate" and name in ("diff", "output")):
            self.collector.add(
                "G315",
                f"`{path.written}` has no meaning in {_POSITIONS[place.position]}",
                span,
                label="a value of the step's own attempts",
                help="it can be used in the step's `prompt` and `retry`"
                + (", and in its gates' inputs" if name in ("diff", "output") else ""),
            )
            return None
        if place.position == "prompt" and not step.retry:
            self.collector.add(
                "G313",
                f"`{path.written}` is always empty here, because this step has no `retry`",
                span,
                label="only a later attempt gives it a value",
                help="add a `retry:` block or remove the reference",
            )
        return self._attempt_target(path, span, place, name)

    def _attempt_target(self, path: PathSyntax, span: Span, place: Place, name: str) -> Target | None:
        bare = name.removeprefix("prev.")
        if bare.startswith("gate."):
            canonical = self._gate_field(place.known, bare, path, span)
            return AttemptTarget(name[: len(name) - len(bare)] + canonical) if canonical else None
        fields = FIELDS[kind_of(place.known.step)]
        if bare not in ATTEMPT and bare not in fields:
            self._no_field(path, span, f"step `{place.known.step.name.value}`", (*ATTEMPT, *fields), bare)
            return None
        return AttemptTarget(name)

    def _gate_field(self, known: Known, name: str, path: PathSyntax, span: Span) -> str | None:
        """`gate.NAME[.comments|.error]` with the gate's own name in place of an alias; None after a report."""
        _, gate, *rest = name.split(".")
        names = gate_names(known.step.gates)
        if known.step.kind == "agent" and enclosing_split(known.block):
            names = (*names, "blast_radius")
        canonical = gate_aliases(names).get(gate)
        if canonical is None:
            close = nearest(gate, names)
            has = f"it has: {', '.join(names)}" if names else "it has no gate"
            self.collector.add(
                "G308",
                f"step `{known.step.name.value}` has no gate named `{gate}`",
                span,
                label=f"did you mean `{close}`?" if close else "no such gate",
                help=has,
            )
            return None
        if len(rest) > 1 or rest and rest[0] not in ("comments", "error"):
            self._no_field(path, span, f"gate `{canonical}`", ("comments", "error"), ".".join(rest))
            return None
        return ".".join(("gate", canonical, *rest))

    def _by_short_name(self, path: PathSyntax, span: Span, place: Place) -> Target | None:
        known = self._visible(path, span, place)
        return self._field(known, known.path, path, span, place) if known else None

    def _visible(self, path: PathSyntax, span: Span, place: Place) -> Known | None:
        name = path.segments[0]
        found = self.scopes.visible(place.block, name)
        if len(found) == 1:
            return found[0]
        field_text = "".join(f".{f}" for f in path.fields)
        if found:
            self._ambiguous(name, found, field_text, span, place)
            return None
        others = self.scopes.elsewhere(name)
        if others:
            self.collector.add(
                "G303",
                f"step `{name}` is not in scope here",
                span,
                label="it stands in another block",
                notes=[Note(f"{{{k.written_path}{field_text}}} is here", k.step.name.span) for k in others],
                help="write the full path; below a split, name the task or write `*` for all tasks",
            )
            return None
        close = nearest(name, {k.step.name.value for k in self.scopes.all} | {"task", "gate", "prev"})
        self.collector.add(
            "G302",
            f"there is no step named `{name}`",
            span,
            label=f"did you mean `{close}`?" if close else "not defined",
            help=f"visible here: {', '.join(sorted(self._visible_names(place.block))) or 'no step'}",
        )
        return None

    def _visible_names(self, block: Block) -> set[str]:
        return {k.step.name.value for b in block.outward() for k in b.steps}

    def _ambiguous(self, name: str, found: tuple[Known, ...], suffix: str, span: Span, place: Place) -> None:
        notes = []
        for number, known in enumerate(found):
            here = known.block is place.block
            write = f"{{./{name}{suffix}}}" if here else f"{{{known.written_path}{suffix}}}"
            where = "in this block" if here else "at the root" if known.block.owner is None else "in an outer block"
            which = "one is here" if number == 0 else "the other is here"
            notes.append(Note(f"{which}, {where}: {write}", known.step.name.span))
        self.collector.add(
            "G301",
            f"`{name}` is ambiguous here",
            span,
            label=f"{len(found)} steps of this name are visible",
            notes=notes,
            help="write the one you mean, or rename one of the steps",
        )

    def _by_full_path(self, path: PathSyntax, span: Span, place: Place) -> Target | None:
        found = self._walk(path, span, place)
        if not found:
            return None
        known, target_path = found
        if not path.fields:
            fields = FIELDS[kind_of(known.step)]
            self._no_field(path, span, f"step `{known.step.name.value}`", fields, "")
            return None
        return self._field(known, target_path, path, span, place)

    def _walk(self, path: PathSyntax, span: Span, place: Place) -> tuple[Known, tuple[str, ...]] | None:
        """The step at a full path, and that path with `EACH` or `ALL` or a task's name below a split."""
        block: Block | None = place.block if path.anchor == "./" else self.scopes.root
        resolved: tuple[str, ...] = block.prefix if block else ()
        known: Known | None = None
        segments = list(path.segments)
        while segments:
            name = segments.pop(0)
            known = block.named(name) if block else None
            if known is None:
                self._no_such_path(name, block, path, span)
                return None
            resolved = (*resolved, name)
            block = known.inner
            if segments and known.is_split:
                task = segments.pop(0)
                if not segments:
                    self._task_alone(known, path, span)
                    return None
                resolved = (*resolved, ALL if task == "*" else task)
        return (known, resolved) if known else None

    def _task_alone(self, known: Known, path: PathSyntax, span: Span) -> None:
        inner = [k.step.name.value for k in known.inner.steps] if known.inner else []
        self.collector.add(
            "G302",
            f"`{path.written}` ends at a task of `{known.step.name.value}`, not at a step",
            span,
            label="a step's name must follow",
            help=f"its steps: {', '.join(inner)}",
        )

    def _no_such_path(self, name: str, block: Block | None, path: PathSyntax, span: Span) -> None:
        names = [k.step.name.value for k in block.steps] if block else []
        close = nearest(name, names)
        self.collector.add(
            "G302",
            f"`{path.written}` leads to no step: there is no `{name}`"
            + (f" in `{block.owner.step.name.value}`" if block and block.owner else ""),
            span,
            label=f"did you mean `{close}`?" if close else "not defined",
            help=f"steps there: {', '.join(names) or 'none'}",
        )

    def _field(
        self, known: Known, target: tuple[str, ...], path: PathSyntax, span: Span, place: Place
    ) -> Target | None:
        if not self._has_run(known, target, span, place):
            return None
        name = ".".join(path.fields)
        if name.startswith("gate."):
            canonical = self._gate_field(known, name, path, span)
            return StepTarget(target, canonical) if canonical else None
        fields = FIELDS[kind_of(known.step)]
        if known.step.kind == "call" and path.fields[0] == "state":
            return StepTarget((*target, *path.fields[1:-1]), path.fields[-1])
        if name not in fields:
            kind = kind_of(known.step)
            self._no_field(path, span, f"step `{known.step.name.value}` (a {kind} step)", fields, name)
            return None
        return StepTarget(target, name)

    def _no_field(self, path: PathSyntax, span: Span, owner: str, fields: tuple[str, ...], name: str) -> None:
        close = nearest(name, fields) if name else None
        said = f"{owner} does not write `{name}`" if name else f"`{path.written}` does not say which field of {owner}"
        self.collector.add(
            "G306",
            said,
            span,
            label=f"did you mean `{close}`?" if close else "",
            help=f"it writes: {', '.join(fields)}",
        )

    def _has_run(self, known: Known, target: tuple[str, ...], span: Span, place: Place) -> bool:
        """True when the step is over where the reference stands; else the reason has been reported."""
        here = place.known
        where = [Note(f"`{known.step.name.value}` is here", known.step.name.span)]
        name = known.step.name.value
        if known is here:
            self.collector.add(
                "G305",
                f"step `{name}` refers to itself",
                span,
                label="it has written nothing yet",
                help="the values of its attempt before are {prev.output}, {prev.diff}, …",
            )
            return False
        if branches := parallel_siblings(known, here):
            self.collector.add(
                "G314",
                f"`{name}` runs in another branch of the parallel group `{branches.step.name.value}`",
                span,
                label="it may not have run yet",
                notes=where,
                help="make the group sequential, or read the value after the group",
            )
            return False
        over = known.done if EACH in target or known.done != known.start else known.start
        waits = max([over, *(s.end for s in self._fanned(known, target))])
        if waits >= here.start:
            running = known.start < here.start
            self.collector.add(
                "G304",
                f"`{name}` is still running here" if running else f"`{name}` runs later than this step",
                span,
                label="it has written nothing yet",
                notes=where,
                help="refer to a step that is over, or move this one behind it",
            )
            return False
        return True

    def _fanned(self, known: Known, target: tuple[str, ...]) -> list[Known]:
        """The splits above the target over whose tasks it does not go one by one."""
        splits = []
        block: Block | None = known.block
        while block is not None and block.owner is not None:
            owner = block.owner
            if owner.is_split and target[len(owner.path)] != EACH:
                splits.append(owner)
            block = owner.block
        return splits


_POSITIONS = {
    "gate": "a gate",
    "context": "`context`",
    "agent": "`agent`",
    "with": "the inputs of a call",
    "prompt": "a prompt",
    "retry": "`retry`",
}
