"""From a reference as written to what it names, or to the diagnostic that says why it names nothing.

One function per form of reference. Every check of the language's section on names is here: visibility, ambiguity, the
order of execution, parallel branches, and the fields that the producer writes. The words are in `gumpc.name_reports`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gumpc.callee_paths import find_inside
from gumpc.diagnostics import Collector
from gumpc.doubts import NO_DOUBTS, Doubts
from gumpc.fields import ATTEMPT, FIELDS, TASK, called_name, gate_aliases, gate_names, kind_of
from gumpc.ir import (
    ALL,
    EACH,
    AttemptTarget,
    InputTarget,
    Path,
    RunTarget,
    StepTarget,
    Target,
    TaskTarget,
    Workflow,
)
from gumpc.name_reports import NameReports
from gumpc.nearest import nearest
from gumpc.scopes import Block, Known, Scopes, enclosing_split, parallel_siblings
from gumpc.source import Span
from gumpc.syntax import CallSyntax
from gumpc.template import PathSyntax

BUILTIN_NAMES = ("spec", *ATTEMPT, "task.name", "task.description", "task.files")
OF_EDITION_3 = ("steps", "item", "run")
_OF_EDITION_4 = {"steps": "", "item": "task."}
_OWN = ("diff", "output")
_AFTER_GET = ("prompt", "context", "retry")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reference stands: in which step, and in what (`prompt`, `retry`, `gate`, `context`, `agent`, `with`)."""

    known: Known
    position: str

    @property
    def block(self) -> Block:
        """The block whose names are visible here."""
        return self.known.block

    @property
    def time(self) -> int:
        """When the reference is read; a group's gates and retry come after its steps."""
        is_after = self.known.step.kind == "group" and self.position in ("gate", "retry")
        return self.known.end if is_after else self.known.start


@dataclass(frozen=True, slots=True)
class FoundStep:
    """A step and the path to it; `below` is what is left of the path once it has reached a call."""

    known: Known
    path: Path
    below: tuple[str, ...] = ()


@dataclass(slots=True)
class References:
    """Resolves the references of one workflow and keeps the names of its inputs, each with its first place."""

    scopes: Scopes
    collector: Collector
    callee: Callable[[CallSyntax], Workflow | None]
    doubts: Doubts = NO_DOUBTS
    inputs: dict[str, Span] = field(default_factory=dict)
    say: NameReports = field(init=False)

    def __post_init__(self) -> None:
        self.say = NameReports(self.collector)

    def resolve(self, path: PathSyntax, span: Span, place: Place) -> Target | None:
        """What `path` names at `place`; None after reporting why it names nothing."""
        first = path.segments[0]
        if path.anchor or len(path.segments) > 1:
            return self._by_full_path(path, span, place)
        if first in OF_EDITION_3 and path.fields:
            self.say.other_edition(path.written, 3, _OF_EDITION_4.get(first), path, span)
            return None
        if first == ALL:
            self.say.star_alone(path.written, span)
            return None
        if first == "task":
            return self._task(path, span, place)
        if first in ("gate", "prev") and path.fields:
            return self._attempt(path, span, place, ".".join((first, *path.fields)))
        if not path.fields:
            return self._single(first, path, span, place)
        return self._by_short_name(path, span, place)

    def step(self, name: str, span: Span, place: Place) -> Known | None:
        """The earlier step that a bare step name (a session's target) means."""
        if "/" in name:
            anchor = "./" if name.startswith("./") else "/"
            segments = tuple(s for s in name.removeprefix("./").split("/") if s)
            found = self._walk(PathSyntax(anchor, segments, (), name, 0, 0), span, place)
            if found and found.below:
                self.say.no_such_path(name, found.below[0], found.known.step.name.value, (), span)
                return None
        else:
            known = self._visible(PathSyntax("", (name,), (), name, 0, 0), span, place)
            found = FoundStep(known, known.path) if known else None
        return found.known if found and self._is_over(found, span, place) else None

    def _single(self, name: str, path: PathSyntax, span: Span, place: Place) -> Target | None:
        if name in ATTEMPT:
            # A validator is often given the diff that it judges: there it is an input like any other.
            is_own = place.position in ("gate", "retry") or kind_of(place.known.step) in ("code", "gate")
            return self._attempt(path, span, place, name) if name != "diff" or is_own else self._input(name, span)
        if name == "spec":
            return InputTarget("spec")
        if found := self.scopes.visible(place.block, name):
            self.say.step_without_field(path.written, found[0], span)
            return None
        if close := nearest(name, BUILTIN_NAMES):
            self.say.close_to_builtin(path.written, close, span)
            return None
        return self._input(name, span)

    def _input(self, name: str, span: Span) -> Target:
        self.inputs.setdefault(name, span)
        return InputTarget(name)

    def _task(self, path: PathSyntax, span: Span, place: Place) -> Target | None:
        split = enclosing_split(place.block)
        if split is None:
            self.say.outside_each(path.written, span)
            return None
        name = ".".join(path.fields)
        if name not in TASK:
            self.say.no_field(path.written, "a task", TASK, name, span)
            return None
        return TaskTarget(split.path, name)

    def _attempt(self, path: PathSyntax, span: Span, place: Place, name: str) -> Target | None:
        step = place.known.step
        if step.kind == "gate" and name in _OWN:
            return RunTarget(name)
        if place.position not in ("prompt", "retry") and not (place.position == "gate" and name in _OWN):
            self.say.no_meaning(path.written, place.position, span, in_gates=name in _OWN)
            return None
        if place.position == "prompt" and not (step.retry or step.retry_by_kind) and not self.doubts.about(step):
            self.say.never_retried(path.written, span)
        return self._attempt_target(path, span, place, name)

    def _attempt_target(self, path: PathSyntax, span: Span, place: Place, name: str) -> Target | None:
        bare = name.removeprefix("prev.")
        if bare.startswith("gate."):
            canonical = self._gate_field(place.known, bare, path, span)
            return AttemptTarget(name[: len(name) - len(bare)] + canonical) if canonical else None
        step = place.known.step
        fields = tuple(dict.fromkeys((*ATTEMPT, *FIELDS[kind_of(step)])))
        if bare not in fields:
            if not self.doubts.about(step):
                written = "" if bare == name == "prev" else bare
                self.say.no_field(path.written, f"step `{step.name.value}`", fields, written, span)
            return None
        return AttemptTarget(name)

    def _gate_field(self, known: Known, name: str, path: PathSyntax, span: Span) -> str | None:
        names = gate_names(known.step.gates)
        if known.step.kind == "agent" and enclosing_split(known.block):
            names = (*names, "blast_radius")
        is_sure = not self.doubts.about(known.step)
        return self._checked_gate(known.step.name.value, names, name, path, span, is_sure=is_sure)

    def _checked_gate(
        self, step: str, names: tuple[str, ...], name: str, path: PathSyntax, span: Span, *, is_sure: bool = True
    ) -> str | None:
        """`gate.NAME[.comments|.error]` with the gate's own name in place of an alias; None after a report."""
        _, gate, *rest = name.split(".")
        canonical = gate_aliases(names).get(gate)
        if canonical is None:
            if is_sure:
                self.say.no_gate(step, gate, names, span)
            return None
        if len(rest) > 1 or (rest and rest[0] not in ("comments", "error")):
            self.say.no_field(path.written, f"gate `{canonical}`", ("comments", "error"), ".".join(rest), span)
            return None
        return ".".join(("gate", canonical, *rest))

    def _by_short_name(self, path: PathSyntax, span: Span, place: Place) -> Target | None:
        call = place.known.step.get_workflow
        is_visible = bool(self.scopes.visible(place.block, path.segments[0]))
        if call and not is_visible and called_name(call) == path.segments[0] and place.position in _AFTER_GET:
            return self._got(path, span, place)
        known = self._visible(path, span, place)
        return self._field(FoundStep(known, known.path), path, span, place) if known else None

    def _got(self, path: PathSyntax, span: Span, place: Place) -> Target | None:
        """The output of the workflow that the step runs to get its context."""
        name = ".".join(path.fields)
        if name != "output":
            self.say.no_field(path.written, f"the workflow `{path.segments[0]}`", ("output",), name, span)
            return None
        return StepTarget((*place.known.path, path.segments[0]), "output")

    def _visible(self, path: PathSyntax, span: Span, place: Place) -> Known | None:
        name = path.segments[0]
        suffix = "".join(f".{f}" for f in path.fields)
        found = self.scopes.visible(place.block, name)
        if len(found) == 1:
            return found[0]
        if found:
            self.say.ambiguous(name, suffix, found, place.block, span)
        elif self.doubts.about_name(name):
            return None
        elif others := self.scopes.elsewhere(name):
            self.say.not_in_scope(name, suffix, others, span)
        else:
            self.say.undefined(name, place.block, tuple(self.scopes.all), span)
        return None

    def _by_full_path(self, path: PathSyntax, span: Span, place: Place) -> Target | None:
        found = self._walk(path, span, place)
        return self._field(found, path, span, place) if found else None

    def _walk(self, path: PathSyntax, span: Span, place: Place) -> FoundStep | None:
        """The step at a full path, and that path with `EACH` or `ALL` or a task's name below a split."""
        block: Block | None = place.block if path.anchor == "./" else self.scopes.root
        resolved: Path = block.prefix if block else ()
        known: Known | None = None
        segments = list(path.segments)
        while segments:
            name = segments.pop(0)
            known = block.named(name) if block else None
            if known is None:
                self._broken_off(name, block, path, span)
                return None
            resolved = (*resolved, name)
            if known.step.kind == "call":
                break
            owner, block = known, known.inner
            if segments and block is None:
                self._nothing_below(owner, segments[0], path, span)
                return None
            if segments and known.is_split:
                task = segments.pop(0)
                if not segments:
                    self.say.ends_at_task(path.written, known, span)
                    return None
                resolved = (*resolved, task)
        return FoundStep(known, resolved, tuple(segments)) if known else None

    def _broken_off(self, name: str, block: Block | None, path: PathSyntax, span: Span) -> None:
        owner = block.owner if block else None
        if self.doubts.about_name(name) or (owner and self.doubts.about(owner.step)):
            return
        names = tuple(k.step.name.value for k in block.steps) if block else ()
        self.say.no_such_path(path.written, name, owner.step.name.value if owner else "", names, span)

    def _nothing_below(self, owner: Known, name: str, path: PathSyntax, span: Span) -> None:
        if not self.doubts.about(owner.step):
            self.say.no_such_path(path.written, name, owner.step.name.value, (), span)

    def _field(self, found: FoundStep, path: PathSyntax, span: Span, place: Place) -> Target | None:
        if not self._is_over(found, span, place):
            return None
        step = found.known.step
        if found.below:
            return self._inside(found, ".".join(path.fields), path, span)
        if step.kind == "call" and path.fields[:1] == ("state",) and len(path.fields) > 1:
            below = FoundStep(found.known, found.path, (path.fields[1],))
            return self._inside(below, ".".join(path.fields[2:]), path, span)
        name = ".".join(path.fields)
        if name.startswith("gate."):
            canonical = self._gate_field(found.known, name, path, span)
            return StepTarget(found.path, canonical) if canonical else None
        kind = kind_of(step)
        if name not in FIELDS[kind]:
            if not self.doubts.about(step):
                owner = f"step `{step.name.value}` ({_article(kind)} {kind} step)"
                self.say.no_field(path.written, owner, FIELDS[kind], name, span)
            return None
        return StepTarget(found.path, name)

    def _inside(self, found: FoundStep, name: str, path: PathSyntax, span: Span) -> Target | None:
        """A field of a step of a called workflow."""
        call = found.known.step.call
        workflow = self.callee(call) if call else None
        if workflow is None:
            return None
        inner = find_inside(workflow, found.below)
        if inner is None:
            names = tuple(step.path[-1] for step in workflow.steps)
            self.say.no_such_path(path.written, "/".join(found.below), found.known.step.name.value, names, span)
            return None
        target = (*found.path, *inner.path)
        if name.startswith("gate."):
            canonical = self._checked_gate("/".join(found.below), inner.gates, name, path, span)
            return StepTarget(target, canonical) if canonical else None
        if name not in inner.fields:
            owner = f"step `{'/'.join(found.below)}` ({_article(inner.kind)} {inner.kind} step)"
            self.say.no_field(path.written, owner, inner.fields, name, span)
            return None
        return StepTarget(target, name)

    def _is_over(self, found: FoundStep, span: Span, place: Place) -> bool:
        """True when the step is over where the reference stands; else the reason has been reported."""
        known = found.known
        if known is place.known:
            self.say.itself(known, span)
            return False
        if group := parallel_siblings(known, place.known):
            self.say.other_branch(known, group, span)
            return False
        over = max([known.done, *(split.end for split in self._fanned(found))])
        if over >= place.time:
            self.say.not_over(known, span, running=known.start < place.time)
            return False
        return True

    def _fanned(self, found: FoundStep) -> list[Known]:
        """The splits above the target over whose tasks it does not go one by one."""
        owners = [b.owner for b in found.known.block.outward() if b.owner is not None]
        return [o for o in owners if o.is_split and found.path[len(o.path)] != EACH]


def _article(kind: str) -> str:
    return "an" if kind == "artifact" else "a"
