"""Steps: a mapping's kind follows from its keys, and each kind has its own (`gumpc.parse_step_keys`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Mapping as AbstractMapping

from gumpc.diagnostics import Collector, Note
from gumpc.nodes import Mapping, Node, Scalar
from gumpc.parse_gate import parse_gates
from gumpc.parse_keys import Fields, open_fields
from gumpc.parse_parts import parse_call, parse_prompt, parse_session
from gumpc.parse_retry import parse_retry
from gumpc.parse_step_keys import (
    CONTEXT,
    DECIDING,
    GET,
    GET_KEYS,
    GUARD,
    KIND_KEYS,
    OLD_TYPES,
    RUN,
    RUN_KEYS,
    SESSIONS,
    STEP,
    TYPES,
)
from gumpc.parse_tables import Keys
from gumpc.parse_values import at_start, kind_of, read_text
from gumpc.source import Span
from gumpc.syntax import CallSyntax, ContextSyntax, Flag, GuardSyntax, StepSyntax


def parse_steps(fields: Fields, name: str) -> tuple[StepSyntax, ...]:
    """A list of at least one step, the names of siblings unique."""
    return siblings(fields, name, _parse_step)


def siblings(
    fields: Fields, name: str, parse_one: Callable[[Node, Collector], StepSyntax | None]
) -> tuple[StepSyntax, ...]:
    """The same with the parser of a single step given."""
    before = len(fields.out.found)
    nodes = fields.items(name)
    if not nodes and len(fields.out.found) == before and (node := fields.node(name)):
        fields.out.add("G101", f"`{name}` needs at least one step", node.span)
    steps = tuple(step for step in (parse_one(node, fields.out) for node in nodes) if step)
    first: dict[str, Scalar] = {}
    for step in steps:
        earlier = first.setdefault(step.name.value, step.name)
        if earlier is not step.name:
            notes = (Note("the first one is here", earlier.span),)
            message = f"two sibling steps are named `{step.name.value}`"
            fields.out.add("G109", message, step.name.span, notes=notes)
    return steps


def _parse_step(node: Node, out: Collector) -> StepSyntax | None:
    owner, likely = _owner(node)
    fields = open_fields(node, owner, STEP[likely], out)
    kind, decider = _kind(fields)
    fields.require("name")
    name = fields.name("name", of="a step")
    if decider is None:
        if fields.sure:
            advice = "an agent step has `type:`, a gate step `gate:`, a group `steps:`, a call `workflow:`"
            out.add("G101", "this step does nothing", (name or fields).span, help=advice)
        return None
    check_kind(fields, kind, decider, KIND_KEYS)
    # A step without a usable name is parsed for its faults, then dropped.
    step = _PARSERS[kind](fields, name or empty_name(fields.span))
    return step if name else None


def _owner(node: Node) -> tuple[str, str]:
    """What messages call this step, and its kind, as far as the keys tell before they are checked."""
    if not isinstance(node, Mapping):
        return "a step", ""
    keys = {key.value: value for key, value in node.entries}
    if "steps" in keys:
        return "a group", "group"
    made = keys.get("type")
    if isinstance(made, Scalar) and made.value in TYPES.words:
        return f"{'an' if made.value == 'artifact' else 'a'} {made.value} step", "agent"
    if any(key in keys for key in ("type", "agent", "prompt", "get", "run")):
        return "an agent step", "agent"
    if "workflow" in keys:
        return "a call", "call"
    return ("a gate step", "gate") if "gate" in keys else ("a step", "")


def _kind(fields: Fields) -> tuple[str, str | None]:
    """The step's kind and the key that decides it."""
    found = [(key, kind) for key, kind in DECIDING if key in fields]
    if not found:
        return "", None
    key, kind = found[0]
    passes = {key for key, kind in found} <= {"agent", "run", "gate"} and "gate" in fields
    if kind == "agent" and passes and _passed_agent(fields):
        return "gate", "gate"
    return kind, key


def _passed_agent(fields: Fields) -> bool:
    """True for `agent: pass`, flat or in `run:`."""
    run = fields.node("run")
    node = run.get("agent") if isinstance(run, Mapping) else fields.node("agent")
    return isinstance(node, Scalar) and node.value == "pass"


def empty_name(span: Span) -> Scalar:
    """What stands for a name where there is none."""
    return Scalar("", span, ((0, span.line, span.column),))


def check_kind(fields: Fields, kind: str, decider: str, kind_keys: AbstractMapping[str, tuple[str, ...]]) -> None:
    """Report the first key that another kind of step has; the others that came with it are the same fault."""
    strangers = [key for key in fields.given if key not in kind_keys[kind]]
    if strangers:
        key = strangers[0]
        advice = (
            "the block that a split runs for each task is called `each`"
            if kind == "group" and "each" in kind_keys["agent"]
            else ""
        )
        fields.conflict(key, decider, because=f"`{key}` and `{decider}` cannot stand in one step", advice=advice)
    for key in strangers:
        del fields.given[key]


def _parse_group(fields: Fields, name: Scalar) -> StepSyntax:
    return StepSyntax(
        "group",
        name,
        fields.span,
        steps=parse_steps(fields, "steps"),
        parallel=is_set(fields.flag("parallel")),
        gates=parse_gates(fields),
        retry=parse_retry(fields),
    )


def _parse_called(fields: Fields, name: Scalar) -> StepSyntax:
    return StepSyntax("call", name, fields.span, call=parse_call(fields, "workflow"))


def _parse_gate_step(fields: Fields, name: Scalar) -> StepSyntax:
    run = _block(fields, "run", RUN, RUN_KEYS)
    agent = run.text("agent")
    if "retry" in fields and agent is None:
        advice = "add `agent: pass` to run the gates again, or give the step an agent and a `type`"
        message = "`retry` in a gate step needs `agent: pass`"
        fields.out.add("G101", message, fields.key("retry").span, help=advice)
    gates = parse_gates(fields)
    node = fields.node("gate")
    if node and not gates and getattr(node, "items", None) == ():
        fields.out.add("G101", "`gate` needs at least one gate", node.span)
    return StepSyntax(
        "gate",
        name,
        fields.span,
        agent=agent,
        hitl=parse_hitl(fields, run),
        gates=gates,
        retry=parse_retry(fields),
    )


def _parse_agent_step(fields: Fields, name: Scalar) -> StepSyntax:
    get = _block(fields, "get", GET, (*GET_KEYS, "with"))
    run = _block(fields, "run", RUN, RUN_KEYS)
    agent = run.text("agent")
    fields.require("type", advice="what the step makes: `code`, `split`, `validate` or `artifact`")
    made = fields.choice("type", meant=OLD_TYPES)
    if agent is None or agent.value != "pass":
        get.require("prompt")
    worktree = get.choice("worktree")
    if made and made.value == "code" and worktree and worktree.value == "none":
        fields.out.add(
            "G105",
            "`worktree: none` and `type: code` cannot stand together: a code step edits files",
            worktree.span,
            notes=(Note("`type` is here", made.span),),
        )
    return StepSyntax(
        "agent",
        name,
        fields.span,
        type=made,
        prompt=parse_prompt(get),
        context=parse_contexts(get),
        worktree=worktree,
        session=parse_session(get, SESSIONS, may_continue=True),
        get_workflow=_get_workflow(get),
        inputs=parse_globs(get),
        agent=agent,
        guard=parse_guard(run),
        hitl=parse_hitl(fields, run),
        gates=parse_gates(fields),
        retry=parse_retry(fields),
        each=_parse_each(fields, made),
        parallel=is_set(fields.flag("parallel")),
        blast_radius=fields.choice("blast_radius"),
        cache=fields.flag("cache"),
    )


def _parse_each(fields: Fields, made: Scalar | None) -> tuple[StepSyntax, ...]:
    for key in ("each", "parallel", "blast_radius"):
        if key in fields and made and made.value != "split":
            fields.conflict(key, "type", because=f"`{key}` needs `type: split`, not `type: {made.value}`")
    return parse_steps(fields, "each") if "each" in fields else ()


def _block(fields: Fields, name: str, keys: Keys, inner: Iterable[str]) -> Fields:
    """The block `name`, or, where there is none, the step itself, whose keys then stand flat."""
    node = fields.node(name)
    if node is None:
        return fields
    is_call = isinstance(node, Mapping) and node.get("workflow") is not None
    block = open_fields(node, f"`{name}`", keys, fields.out, takes_extra=is_call)
    for key in inner:
        # `hitl` is accepted at step level also beside a `run:` block.
        if key in fields and key != "hitl":
            because = f"`{key}` stands at step level although the step has a `{name}:` block"
            fields.conflict(key, name, because=because, advice=f"move `{key}` into `{name}:`")
            block.given.setdefault(key, fields.given.pop(key))
    return block


def parse_hitl(fields: Fields, run: Fields) -> Scalar | None:
    """When a person is asked; `run` is the `run:` block, or the step itself."""
    if run is not fields and "hitl" in run and "hitl" in fields:
        fields.conflict("hitl", "run", because="`hitl` stands both at step level and in `run:`")
    found = (run if "hitl" in run else fields).choice("hitl")
    return None if found and found.value == "false" else found


def _get_workflow(get: Fields) -> CallSyntax | None:
    if "workflow" in get:
        return parse_call(get, "workflow")
    if "with" in get:
        message = "`with` gives inputs to a `workflow`, and there is none"
        get.out.add("G105", message, get.key("with").span)
    return None


def parse_contexts(get: Fields) -> tuple[ContextSyntax, ...]:
    """The entries of `context:`."""
    return tuple(entry for entry in (_parse_context(node, get.out) for node in get.items("context")) if entry)


def parse_globs(get: Fields) -> tuple[Scalar, ...]:
    """The globs of a step's `inputs:`."""
    return tuple(text for text in (read_text(node, "a glob", get.out) for node in get.items("inputs")) if text)


def _parse_context(node: Node, out: Collector) -> ContextSyntax | None:
    if isinstance(node, Scalar):
        advice = "write `{file: PATH}` or `{bash: COMMAND}`"
        out.add("G103", f"an entry of `context` must be a map, not {kind_of(node)}", at_start(node), help=advice)
        return None
    fields = open_fields(node, "an entry of `context`", CONTEXT, out)
    kinds = [kind for kind in ("file", "bash") if kind in fields]
    if len(kinds) == 2:
        fields.conflict("bash", "file", advice="write an entry for each")
    if not kinds:
        if fields.sure:
            out.add("G101", "an entry of `context` needs `file` or `bash`", fields.span)
        return None
    value = fields.text(kinds[0])
    required = is_set(fields.flag("required"))
    return ContextSyntax(kinds[0], value, required, node.span) if value else None


def parse_guard(run: Fields) -> GuardSyntax:
    """The limits under `guard:`."""
    node = run.node("guard")
    if node is None:
        return GuardSyntax()
    fields = open_fields(node, "`guard`", GUARD, run.out)
    if "timeout" in fields and "max_time" in fields:
        fields.conflict("timeout", "max_time", because="`timeout` and `max_time` are the same limit; give one of them")
    return GuardSyntax(
        max_turns=fields.number("max_turns"),
        max_budget=fields.number("max_budget"),
        max_tokens=fields.number("max_tokens"),
        max_time=fields.duration("max_time" if "max_time" in fields else "timeout"),
        no_write=fields.flag("no_write"),
    )


def is_set(flag: Flag | None) -> bool:
    """True for a flag that is written, and `true`."""
    return flag is not None and flag.value


_PARSERS = {
    "group": _parse_group,
    "agent": _parse_agent_step,
    "call": _parse_called,
    "gate": _parse_gate_step,
}
