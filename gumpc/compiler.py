"""One call from a workflow's text to its IR and everything that is wrong with it.

The phases run one after the other, each only when the one before it left something to work on. A called workflow is
compiled once, with the same collector, so its faults are shown with the caller's; a call that leads back to a file
being compiled is a cycle. Rules that look at the repository run last, when there is one to look at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gumpc import ir
from gumpc.config_types import Config
from gumpc.diagnostics import Collector, Diagnostic
from gumpc.doubts import find_doubts
from gumpc.library import Found, Library, OutsideRepository
from gumpc.nearest import nearest
from gumpc.nodes import Scalar
from gumpc.parser import parse
from gumpc.resolve import Surroundings, resolve
from gumpc.rules.all_rules import run_rules
from gumpc.rules.world import World
from gumpc.source import Span, line_starts
from gumpc.yaml_reader import decode, read

IGNORE = "gumpc: ignore"


@dataclass(frozen=True, slots=True)
class Compilation:
    """What came of a file: the IR when there was no error, the diagnostics, and each text by its shown name.

    `silenced` is what a comment in a file silenced. Such an error is not told by `check`; it still is one, so there is
    no IR, and who wants to run the workflow is told.
    """

    workflow: ir.Workflow | None
    diagnostics: tuple[Diagnostic, ...]
    sources: dict[str, str]
    silenced: tuple[Diagnostic, ...] = ()

    @property
    def in_the_way(self) -> tuple[Diagnostic, ...]:
        """What to tell someone who wants to plan or run this: the diagnostics, with the errors that were silenced."""
        errors = (d for d in self.silenced if d.severity == "error")
        return tuple(sorted((*self.diagnostics, *errors), key=lambda d: (d.span, d.code)))


def compile_workflow(found: Found, *, library: Library, config: Config, world: World) -> Compilation:
    """Compile one file; never raises for what a file may hold."""
    compiler = _Compiler(library, config)
    workflow = compiler.compile(found)
    if workflow is not None:
        run_rules(workflow, world, compiler.collector)
    diagnostics = compiler.collector.sorted()
    failed = any(d.severity == "error" for d in diagnostics)
    silenced: tuple[Diagnostic, ...] = ()
    texts = {name: text for name in compiler.done if IGNORE in (text := compiler.sources.get(name, ""))}
    if texts:
        from gumpc.ignores import silence  # few files hold such a comment, and none pays for those that do

        judged = found.name if workflow is not None else None
        diagnostics, silenced = silence(diagnostics, texts, judged=judged, in_repository=world.read is not None)
    return Compilation(None if failed else workflow, diagnostics, compiler.sources, silenced)


@dataclass(slots=True)
class _Compiler:
    library: Library
    config: Config
    collector: Collector = field(default_factory=Collector)
    sources: dict[str, str] = field(default_factory=dict)
    done: dict[str, ir.Workflow | None] = field(default_factory=dict)
    stack: list[str] = field(default_factory=list)

    def compile(self, found: Found) -> ir.Workflow | None:
        if found.name not in self.done:
            self.stack.append(found.name)
            self.done[found.name] = self._compile(found)
            self.stack.pop()
        return self.done[found.name]

    def _compile(self, found: Found) -> ir.Workflow | None:
        before = len(self.collector.found)
        source = decode(found.name, found.raw, self.collector)
        if source is None:
            return None
        self.sources[source.name] = source.text
        node = read(source, self.collector)
        workflow = parse(node, self.collector) if node is not None else None
        if node is None or workflow is None:
            return None
        faults = [d.span for d in self.collector.found[before:] if d.severity == "error"]
        own = Collector()
        surroundings = Surroundings(
            default_agent=self.config.default_agent,
            prompt_file=lambda name: self._prompt_file(name, found),
            callee=lambda name: self._callee(name, found),
        )
        doubts = find_doubts(node, workflow, faults)
        result = resolve(workflow, surroundings=surroundings, collector=own, doubts=doubts)
        # What a called file reads and does not define is given by its callers: that is told at the call.
        is_called = len(self.stack) > 1
        self.collector.found.extend(d for d in own.found if not (is_called and d.code == "G310"))
        # A callee with faults is not looked into: what it seems to read or to write may be one of them.
        has_faults = any(d.severity == "error" for d in self.collector.found[before:])
        return None if is_called and has_faults else result

    def _callee(self, name: Scalar, caller: Found) -> ir.Workflow | None:
        found = self._find(name, lambda: self.library.find(name.value, caller=caller.path))
        if found is None:
            return None
        if found.name in self.stack:
            path = " → ".join((*self.stack[self.stack.index(found.name) :], found.name))
            self.collector.add(
                "G404",
                f"calling `{name.value}` leads back to `{found.name}`",
                name.span,
                label="a cycle of calls",
                help=f"the cycle: {path}",
            )
            return None
        return self.compile(found)

    def _prompt_file(self, name: Scalar, caller: Found) -> Scalar | None:
        found = self._find(name, lambda: self.library.text_file(name.value, caller=caller.path), code="G502")
        source = decode(found.name, found.raw, self.collector) if found else None
        if source is None:
            return None
        self.sources[source.name] = source.text
        lines = tuple((start, number, 1) for number, start in enumerate(line_starts(source.text), 1))
        return Scalar(source.text, Span(source.name, 1, 1, 1, 1), lines)

    def _find(self, name: Scalar, find: Callable[[], Found | None], *, code: str = "G506") -> Found | None:
        try:
            found = find()
        except OutsideRepository:
            self.collector.add("G602", f"`{name.value}` leaves the repository", name.span, label="a path outside")
            return None
        if found is None:
            self._report_missing(name, code)
        return found

    def _report_missing(self, name: Scalar, code: str) -> None:
        if code == "G502":
            self.collector.add(
                code,
                f"the prompt file `{name.value}` does not exist",
                name.span,
                label="not found",
                help="the path is relative to the workflow file",
            )
            return
        kind, _, stem = name.value.rpartition("/")
        names = [n for n, _ in self.library.names("validators" if kind == "validators" else "workflows")]
        close = nearest(stem, names)
        self.collector.add(
            code,
            f"there is no workflow `{name.value}`",
            name.span,
            label=f"did you mean `{kind + '/' if kind else ''}{close}`?" if close else "not found",
            help=f"known: {', '.join(names)}" if names else "",
        )
