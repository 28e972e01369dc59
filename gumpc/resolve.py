"""From syntax to the IR: every name resolved, every default filled in, every call bound to its callee.

One pass over the steps. Names are looked up in `gumpc.scopes` through `gumpc.references`; a fault is reported where it
stands and the walk goes on, so the IR returned after a fault is only good for finding more of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gumpc import ir, syntax
from gumpc.calls import Calls
from gumpc.diagnostics import Collector, Note
from gumpc.doubts import NO_DOUBTS, Doubts
from gumpc.editions.references_3 import References3
from gumpc.editions.sessions import last_of_same_agent
from gumpc.fields import RESERVED, gate_aliases, gate_names, kind_of
from gumpc.globs import check_glob
from gumpc.nodes import Scalar
from gumpc.references import Place, References
from gumpc.scopes import Block, Known, Scopes, enclosing_each, enclosing_split
from gumpc.shell import compile_script
from gumpc.source import Span
from gumpc.template import TemplateSyntax, parse_template, unclosed

TYPE_WORKTREE: dict[str, ir.Worktree] = {"code": "read-write"}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the resolver asks of the world outside the file.

    `prompt_file` gives the text of a prompt file (after reporting when there is none); `callee` the IR of a called
    workflow (after reporting); both take the scalar that names it.
    """

    default_agent: str
    prompt_file: Callable[[Scalar], Scalar | None]
    callee: Callable[[Scalar], ir.Workflow | None]


def resolve(
    workflow: syntax.WorkflowSyntax, *, surroundings: Surroundings, collector: Collector, doubts: Doubts = NO_DOUBTS
) -> ir.Workflow:
    """The workflow's IR; only to be used when `collector` has no error. `doubts` are what the parser could not read."""
    scopes = Scopes(workflow.steps)
    kind = References3 if workflow.edition == 3 else References
    references = kind(scopes, collector, lambda call: surroundings.callee(call.workflow), doubts)
    calls = Calls(surroundings.callee, collector)
    steps = _Resolver(references, calls, surroundings, collector).block(scopes.root)
    limits = ir.Limits(_value(workflow.max_budget), _value(workflow.max_timeout), _whole(workflow.max_tokens))
    calls.report_missing({*references.inputs, *(given.name.value for given in workflow.inputs)})
    declared = {given.name.value: given.default for given in workflow.inputs}
    for name, span in references.inputs.items():
        if name not in declared:
            _report_free_input(name, span, collector)
    return ir.Workflow(
        name=workflow.name.value,
        steps=steps,
        limits=limits,
        inputs=tuple(dict.fromkeys((*references.inputs, *declared))),
        file=workflow.span.file,
        span=workflow.name.span,
        defaults=tuple((name, default.value) for name, default in declared.items() if default),
    )


def _report_free_input(name: str, span: Span, collector: Collector) -> None:
    collector.add(
        "G310",
        f"`{{{name}}}` is an input of this workflow",
        span,
        label="no step and no built-in name gives it a value",
        help=f"a call gives it under `{name}:`, a run with --set {name}=…; for literal braces write {{{{{name}}}}}",
    )


@dataclass(slots=True)
class _Resolver:
    references: References
    calls: Calls
    surroundings: Surroundings
    collector: Collector

    def block(self, block: Block) -> tuple[ir.Step, ...]:
        return tuple(self._step(known) for known in block.steps)

    def _step(self, known: Known) -> ir.Step:
        step = known.step
        if step.name.value in RESERVED:
            self.collector.add(
                "G108",
                f"a step cannot be named `{step.name.value}`: the name has a meaning in templates",
                step.name.span,
                help=f"reserved: {', '.join(RESERVED)}",
            )
        split = enclosing_split(known.block)
        task_of = split.path if split else None
        match step.kind:
            case "agent":
                return self._agent_step(known, task_of)
            case "gate":
                return ir.GateStep(known.path, self._gates(known), step.span, self._retry(known), task_of)
            case "group":
                inner = self.block(known.inner) if known.inner else ()
                gates, retry = self._gates(known), self._retry(known)
                return ir.Group(known.path, inner, step.parallel, gates, retry, step.span, task_of, self._over(known))
            case _:
                return ir.Call(known.path, self._call(step.call, Place(known, "with")), step.span, task_of)

    def _over(self, known: Known) -> ir.Path | None:
        """The split that a group of edition 3 goes over."""
        name = known.step.foreach
        split = self.references.step(name.value, name.span, Place(known, "agent")) if name else None
        if name is None or split is None:
            return None
        if kind_of(split.step) != "split" and not self.references.doubts.about(split.step):
            self.collector.add(
                "G316",
                f"step `{name.value}` makes no tasks to go over",
                name.span,
                label="a step of another kind",
                notes=[Note(f"`{name.value}` is here", split.step.name.span)],
                help="name a step with `output: plan`",
            )
        elif enclosing_each(split.block) not in (None, *self._splits_around(known)):
            self.collector.add(
                "G316",
                f"step `{name.value}` makes tasks anew for each task of another group",
                name.span,
                label="it is not clear which tasks",
                notes=[Note(f"`{name.value}` is here", split.step.name.span)],
                help="put this group into the group that holds the step",
            )
        return split.path

    def _agent_step(self, known: Known, task_of: ir.Path | None) -> ir.AgentStep:
        step = known.step
        kind: ir.StepType = kind_of(step)  # type: ignore[assignment]  # the parser allows no other type
        place = Place(known, "prompt")
        get_workflow = self._call(step.get_workflow, Place(known, "with")) if step.get_workflow else None
        return ir.AgentStep(
            path=known.path,
            type=kind,
            prompt=self._prompt(step.prompt, place),
            agent=self._agent(known),
            worktree=step.worktree.value if step.worktree else TYPE_WORKTREE.get(kind, "read-only"),  # type: ignore[arg-type]
            session=self._session(known),
            guard=_guard(step.guard, kind),
            gates=self._gates(known),
            retry=self._retry(known),
            span=step.span,
            context=tuple(self._context(c, Place(known, "context")) for c in step.context),
            inputs=self._globs(step.inputs),
            get_workflow=get_workflow,
            hitl=_hitl(step.hitl),
            each=self.block(known.inner) if known.inner else (),
            parallel=step.parallel,
            blast_radius=step.blast_radius.value if step.blast_radius else "fail",  # type: ignore[arg-type]
            task_of=task_of,
            cache=step.cache.value if step.cache else True,
        )

    def _agent(self, known: Known) -> ir.Template | None:
        agent = known.step.agent
        if agent is None:
            text = ir.Text(self.surroundings.default_agent)
            return ir.Template((text,), known.step.name.span)
        return None if agent.value == "pass" else self._template(agent, Place(known, "agent"))

    def _session(self, known: Known) -> ir.Session:
        session = known.step.session
        if session and session.mode == "reuse":
            last = last_of_same_agent(known, self.references.scopes)
            return ir.Session("from", last.path) if last else ir.Session("new")
        if session is None or session.target is None:
            return ir.Session("new")
        target = self.references.step(session.target.value, session.target.span, Place(known, "agent"))
        if target is None:
            return ir.Session("new")
        if target.step.kind != "agent" or (target.step.agent and target.step.agent.value == "pass"):
            self._no_session(
                target,
                session.target.span,
                "has no session to go on in",
                label="this step calls no agent",
                help="name a step that runs an agent",
            )
        elif enclosing_each(target.block) not in (None, *self._splits_around(known)):
            self._no_session(
                target,
                session.target.span,
                "has one session per task, so it is not clear which to go on in",
                help="only a step under the same `each:` can be continued",
            )
        return ir.Session("from", target.path)

    def _no_session(self, target: Known, span: Span, why: str, *, help: str, label: str = "") -> None:
        name = target.step.name
        notes = [Note(f"`{name.value}` is here", name.span)]
        self.collector.add("G309", f"step `{name.value}` {why}", span, label=label, notes=notes, help=help)

    def _splits_around(self, known: Known) -> tuple[Known, ...]:
        return tuple(b.owner for b in known.block.outward() if b.is_each and b.owner)

    def _prompt(self, prompt: Scalar | syntax.FileText | None, place: Place) -> ir.Template | None:
        if prompt is None:
            return None
        if isinstance(prompt, syntax.FileText):
            if any(not isinstance(part, str) for part in parse_template(prompt.file.value)):
                self._report_open_path(prompt.file)
                return None
            text = self.surroundings.prompt_file(prompt.file)
            return self._template(text, place) if text else None
        return self._template(prompt, place)

    def _report_open_path(self, path: Scalar) -> None:
        self.collector.add(
            "G315",
            "the path of a prompt file cannot hold references",
            path.span,
            label="prompt files are read before anything runs",
            help="a file whose path is known only later can be given as `context`",
        )

    def _template(self, scalar: Scalar, place: Place) -> ir.Template:
        self._report_unclosed(scalar)
        parts: list[ir.Text | ir.Reference] = []
        for part in parse_template(scalar.value):
            if isinstance(part, str):
                parts.append(ir.Text(part))
                continue
            span = scalar.locate(part.start, part.end)
            # One that names nothing (that is reported) still keeps the template from looking like literal text.
            target = self.references.resolve(part, span, place) or ir.InputTarget(part.written)
            parts.append(ir.Reference(target, part.written, span))
        return ir.Template(tuple(parts), scalar.span)

    def _report_unclosed(self, scalar: Scalar) -> None:
        for start, end in unclosed(scalar.value):
            self.collector.add(
                "G201",
                f"`{scalar.value[start:end]}` is not closed on its line, so it is literal text",
                scalar.locate(start, end),
                label="no closing brace",
                help="close it with `}`, or write `{{` for a literal brace",
            )

    def _script(self, scalar: Scalar, place: Place) -> ir.Script:
        template: TemplateSyntax = parse_template(scalar.value)
        text, refused = compile_script(template)
        for unquotable in refused:
            path = unquotable.reference
            self.collector.add(
                "G601",
                f"`{path.written}` stands in {unquotable.place}",
                scalar.locate(path.start, path.end),
                label="its value cannot be passed as one word of text here",
                help="a reference reaches the shell as a quoted environment variable: make it an argument of a command",
            )
        resolved = self._template(scalar, place)
        return ir.Script(text, resolved.references, scalar.span)

    def _context(self, context: syntax.ContextSyntax, place: Place) -> ir.ContextSource:
        if context.kind == "file":
            return ir.FileContext(self._template(context.value, place), context.required, context.span)
        return ir.CommandContext(self._script(context.value, place), context.required, context.span)

    def _gates(self, known: Known) -> tuple[ir.Gate, ...]:
        names = gate_names(known.step.gates)
        self._report_equal_names(known.step.gates, names)
        return tuple(self._gate(g, n, Place(known, "gate")) for g, n in zip(known.step.gates, names, strict=True))

    def _report_equal_names(self, gates: tuple[syntax.GateSyntax, ...], names: tuple[str, ...]) -> None:
        for index, (gate, name) in enumerate(zip(gates, names, strict=True)):
            earlier = names.index(name)
            if earlier < index:
                first = gates[earlier].name
                self.collector.add(
                    "G109",
                    f"two gates of this step are named `{name}`",
                    gate.name.span if gate.name else gate.span,
                    notes=[Note("the first one is here", first.span if first else gates[earlier].span)],
                    help="give one of them another name with `as: NAME`",
                )

    def _gate(self, gate: syntax.GateSyntax, name: str, place: Place) -> ir.Gate:
        is_bash = gate.kind == "bash"
        return ir.Gate(
            kind=gate.kind,
            name=name,
            span=gate.span,
            script=self._script(gate.arguments[0], place) if is_bash and gate.arguments else None,
            globs=() if is_bash else self._globs(gate.arguments),
            threshold=_value(gate.threshold),
            call=self._call(gate.call, place, judges=True) if gate.call else None,
            cache=gate.cache,
        )

    def _globs(self, globs: tuple[Scalar, ...]) -> tuple[str, ...]:
        for glob in globs:
            if why := check_glob(glob.value):
                self.collector.add("G508", f"the glob `{glob.value}` {why}", glob.span, label="bad glob")
        return tuple(glob.value for glob in globs)

    def _retry(self, known: Known) -> ir.RetryPolicy:
        attempts, entries = self._policy(known.step.retry, known)
        kinds = ((kind, *self._policy(found, known)) for kind, found in known.step.retry_by_kind)
        return ir.RetryPolicy(attempts, entries, tuple(ir.KindPolicy(*policy) for policy in kinds))

    def _policy(self, retry: tuple[syntax.RetrySyntax, ...], known: Known) -> tuple[int, tuple[ir.RetryEntry, ...]]:
        exits = [entry for entry in retry if entry.condition == "exit" and entry.count]
        attempts = _whole(exits[0].count) if exits else None
        entries = tuple(self._entry(e, known) for e in retry if e.condition != "exit")
        return attempts or 1, entries

    def _entry(self, entry: syntax.RetrySyntax, known: Known) -> ir.RetryEntry:
        place = Place(known, "retry")
        return ir.RetryEntry(
            condition=entry.condition,  # type: ignore[arg-type]  # the parser allows no other condition
            span=entry.span,
            count=_whole(entry.count) or 0,
            gate=self._retry_gate(entry, known),
            call=self._call(entry.call, place, judges=True) if entry.call else None,
            agent=self._template(entry.agent, place) if entry.agent else None,
            session=entry.session.mode if entry.session else None,  # type: ignore[arg-type]
            reset=entry.reset,
            prompt=self._prompt(entry.prompt, place),
            restart_from=self._restart(entry.restart_from, known),
            replan=self._template(entry.replan, place) if entry.replan else None,
        )

    def _restart(self, name: Scalar | None, known: Known) -> ir.Path | None:
        target = self.references.step(name.value, name.span, Place(known, "agent")) if name else None
        if name and target and target.block is not known.block:
            self.collector.add(
                "G303",
                f"step `{name.value}` stands in another block, so nothing can be restarted from it",
                name.span,
                notes=[Note(f"`{name.value}` is here", target.step.name.span)],
                help="`restart_from` names an earlier step of the same block",
            )
        return target.path if target else None

    def _retry_gate(self, entry: syntax.RetrySyntax, known: Known) -> str:
        if entry.kind:
            return entry.kind.value
        if entry.gate is None:
            return ""
        written = entry.gate.value
        names = gate_names(known.step.gates)
        if enclosing_split(known.block):
            names = (*names, "blast_radius")
        canonical = gate_aliases(names).get(written)
        if canonical is None and not self.references.doubts.about(known.step):
            say = self.references.say
            say.no_gate(known.step.name.value, written, names, entry.gate.span, prefix="gate.")
        return canonical or written

    def _call(self, call: syntax.CallSyntax | None, place: Place, *, judges: bool = False) -> ir.Invocation:
        assert call is not None, "the parser gives every call step its call"
        given = {name.value: self._template(value, place) for name, value in call.inputs}
        return self.calls.bind(call, given, judges=judges)


def _guard(guard: syntax.GuardSyntax, kind: str) -> ir.Guard:
    return ir.Guard(
        max_turns=_whole(guard.max_turns),
        max_budget=_value(guard.max_budget),
        max_tokens=_whole(guard.max_tokens),
        max_time=_value(guard.max_time),
        no_write=guard.no_write.value if guard.no_write else kind != "code",
    )


def _hitl(hitl: Scalar | None) -> ir.Pause:
    if hitl is None or hitl.value == "false":
        return "none"
    return "after_gate" if hitl.value == "after_gate" else "before_gate"


def _value(number: syntax.Number | None) -> float | None:
    return number.value if number else None


def _whole(number: syntax.Number | None) -> int | None:
    return int(number.value) if number else None
