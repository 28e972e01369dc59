"""References of edition 3: `{steps.N.FIELD}` by proximity, `{item.…}`, and `{run.…}`; the rest is as in edition 4.

The closest scope wins: the step's own group, then the groups around it, then the root. A name found in none of them
but in exactly one other group means that one; below a group that goes over tasks, it means all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gumpc import walk
from gumpc.diagnostics import Note
from gumpc.editions.telling import RUN_FIELDS
from gumpc.fields import FIELDS, kind_of
from gumpc.ir import ALL, EACH, Path, RunTarget, Target, Workflow
from gumpc.name_reports import NameReports
from gumpc.references import FoundStep, Place, References
from gumpc.scopes import Block, Known, enclosing_split
from gumpc.source import Span
from gumpc.template import PathSyntax

STEPS = "steps"


@dataclass(slots=True)
class References3(References):
    """Resolves the references of one workflow of edition 3."""

    def __post_init__(self) -> None:
        self.say = NameReports(self.collector, f"{STEPS}.")

    def resolve(self, path: PathSyntax, span: Span, place: Place) -> Target | None:
        """What `path` names at `place`; None after reporting why it names nothing."""
        first = path.segments[0]
        if path.anchor or len(path.segments) > 1:
            self._of_edition_4(path, path.segments[-1], span)
            return None
        match first:
            case "steps":
                return self._steps(path, span, place)
            case "item":
                return self._item(path, span, place)
            case "run" if path.fields:
                return self._total(path, span)
            case "task" if path.fields:
                self.say.other_edition(path.written, 4, "item.", path, span)
                return None
        if path.fields and first not in ("gate", "prev") and self.scopes.elsewhere(first):
            self._of_edition_4(path, first, span)
            return None
        return References.resolve(self, path, span, place)

    def step(self, name: str, span: Span, place: Place) -> Known | None:
        """The earlier step that a bare step name means."""
        known = self._closest(name, "", span, place)
        found = FoundStep(known, known.path) if known else None
        return known if found and self._is_over(found, span, place) else None

    def _of_edition_4(self, path: PathSyntax, step: str, span: Span) -> None:
        self.say.other_edition(path.written, 4, f"{STEPS}.{step}." if path.fields else None, path, span)

    def _item(self, path: PathSyntax, span: Span, place: Place) -> Target | None:
        if enclosing_split(place.block) is not None:
            return self._task(path, span, place)
        self.collector.add(
            "G307",
            f"`{path.written}` stands outside a group with `foreach`",
            span,
            label="there is no task here",
            help="`{item.…}` has a value only in the steps of a group that says `foreach: STEP`",
        )
        return None

    def _total(self, path: PathSyntax, span: Span) -> Target | None:
        name = ".".join(path.fields)
        if name not in RUN_FIELDS:
            self.say.no_field(path.written, "the run", RUN_FIELDS, name, span)
            return None
        self.collector.add(
            "G317",
            f"`{path.written}` differs from run to run, so this step always runs",
            span,
            label="never taken from the cache",
        )
        return RunTarget(name)

    def _steps(self, path: PathSyntax, span: Span, place: Place) -> Target | None:
        if len(path.fields) < 2:
            self._no_field_of(path, span)
            return None
        name, *rest = path.fields
        known = self._closest(name, "".join(f".{field}" for field in rest), span, place)
        if known is None:
            return None
        below, fields = _chain(rest) if known.step.kind == "call" else ((), tuple(rest))
        bare = replace(path, fields=fields)
        if below:
            return self._below(known, below, bare, span, place)
        return self._field(FoundStep(known, _seen_from(known, place.block)), bare, span, place)

    def _no_field_of(self, path: PathSyntax, span: Span) -> None:
        known = self.scopes.elsewhere(path.fields[0]) if path.fields else ()
        if known:
            self.say.step_without_field(path.written, known[0], span)
            return
        example = next((k for k in self.scopes.all if k.step.name.value), None)
        shown = f"{example.step.name.value}.{FIELDS[kind_of(example.step)][0]}" if example else "STEP.FIELD"
        self.collector.add(
            "G302", f"`{path.written}` does not say which field of which step", span, help=f"write {{{STEPS}.{shown}}}"
        )

    def _closest(self, name: str, suffix: str, span: Span, place: Place) -> Known | None:
        found = self.scopes.visible(place.block, name)
        others = self.scopes.elsewhere(name)
        if found or len(others) == 1:
            return (found or others)[0]
        if self.doubts.about_name(name):
            return None
        if not others:
            self.say.undefined(name, place.block, tuple(self.scopes.all), span)
            return None
        notes = [Note(f"{'one' if at == 0 else 'another'} is here", k.step.name.span) for at, k in enumerate(others)]
        self.collector.add(
            "G301",
            f"`{name}` is ambiguous here",
            span,
            label=f"{len(others)} other groups have a step of this name, and no group around this one",
            notes=notes,
            help=f"rename one of them; edition 4 can write {{{others[0].written_path.removeprefix('/')}{suffix}}}",
        )
        return None

    def _below(self, known: Known, names: tuple[str, ...], path: PathSyntax, span: Span, place: Place) -> Target | None:
        """A step of a called workflow, by its name in each workflow on the way."""
        if not self._is_over(FoundStep(known, known.path), span, place):
            return None
        workflow = self.callee(known.step.call) if known.step.call else None
        below: Path = ()
        for name in names:
            inner = _paths(workflow, name) if workflow else ()
            if len(inner) != 1:
                below = (*below, name)
                break
            below = (*below, *inner[0])
            workflow = _called(workflow, inner[0]) if workflow else None
        seen = tuple(ALL if segment == EACH else segment for segment in below)
        found = FoundStep(known, _seen_from(known, place.block), seen)
        return self._inside(found, ".".join(path.fields), path, span)


def _chain(rest: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`steps.N.steps.M.FIELD` as the names of the steps and the field."""
    names: list[str] = []
    while len(rest) > 1 and rest[0] == STEPS:
        names.append(rest[1])
        rest = rest[2:]
    return tuple(names), tuple(rest)


def _seen_from(known: Known, block: Block) -> Path:
    """The step's path, with all tasks in place of the one at hand where `block` does not stand below that task."""
    around = {b.prefix for b in block.outward()}
    segments = (
        ALL if segment == EACH and known.path[: at + 1] not in around else segment
        for at, segment in enumerate(known.path)
    )
    return tuple(segments)


def _paths(workflow: Workflow, name: str) -> tuple[Path, ...]:
    """Where steps of this name stand in a called workflow; one at its root wins."""
    found = tuple(step.path for step in walk.steps(workflow) if step.path[-1] == name)
    return tuple(path for path in found if len(path) == 1) or found


def _called(workflow: Workflow, path: Path) -> Workflow | None:
    calls = (step.call.workflow for step in walk.steps(workflow) if step.path == path and step.kind == "call")
    return next(calls, None)
