"""Nodes to syntax for edition 3: its steps are written in the syntax of edition 4 wherever that can say the same.

What edition 4 has no word for keeps a field of its own in the syntax: `foreach`, policies by kind of failure, a session
that goes on with "the last step of the same agent", and declared inputs.
"""

from __future__ import annotations

from dataclasses import replace

from gumpc.diagnostics import Collector
from gumpc.editions.failures import Policies, parse_on_failure
from gumpc.editions.keys_3 import DECIDING, INPUT, KIND_KEYS, OUTPUTS, REUSE, SESSIONS, STEP
from gumpc.nodes import Mapping, Node, Scalar
from gumpc.parse_gate import parse_gates
from gumpc.parse_keys import Fields, open_fields
from gumpc.parse_parts import parse_call, parse_prompt
from gumpc.parse_step import (
    check_kind,
    empty_name,
    is_set,
    parse_contexts,
    parse_globs,
    parse_guard,
    parse_hitl,
    siblings,
)
from gumpc.parse_values import at_start, is_absent, kind_of, read_choice, read_name, unquoted_reference
from gumpc.syntax import GuardSyntax, InputSyntax, SessionSyntax, StepSyntax

_NEW_OUTPUTS = {"code": "diff", "split": "plan", "validate": "review"}
_NEW_SESSIONS = {"new": "fresh", "own": "reuse-on-retry"}


def parse_inputs(fields: Fields) -> tuple[InputSyntax, ...]:
    """The root's `inputs:`."""
    node = fields.node("inputs")
    if node is None:
        return ()
    if not isinstance(node, Mapping):
        message = f"`inputs` must be a map, not {kind_of(node)}"
        fields.out.add("G103", message, at_start(node), help="write `inputs: {NAME: {default: TEXT}}`")
        return ()
    found = (_parse_input(key, value, fields.out) for key, value in node.entries)
    return tuple(each for each in found if each)


def _parse_input(key: Scalar, value: Node, out: Collector) -> InputSyntax | None:
    name = read_name(key, "an input", out)
    if is_absent(value):
        return InputSyntax(name, None) if name else None
    fields = open_fields(value, f"the input `{key.value}`", INPUT, out)
    required, default = fields.flag("required"), fields.text("default", may_be_empty=True)
    if required and required.value and default:
        because = "`required: true` and `default` cannot stand together: what has a default may be left out"
        fields.conflict("default", "required", because=because)
    if required and not required.value and default is None:
        default = Scalar("", key.span, ((0, key.span.line, key.span.column),))
    return InputSyntax(name, default) if name else None


def parse_steps(fields: Fields, name: str) -> tuple[StepSyntax, ...]:
    """A list of at least one step, the names of siblings unique."""
    return siblings(fields, name, _parse_step)


def _parse_step(node: Node, out: Collector) -> StepSyntax | None:
    owner, likely = _owner(node)
    fields = open_fields(node, owner, STEP[likely], out)
    kind, decider = _kind(fields)
    fields.require("name")
    name = fields.name("name", of="a step")
    if decider is None:
        if fields.sure:
            advice = "an agent step has `prompt:`, a gate step `gate:`, a group `steps:`, a call `workflow:`"
            out.add("G101", "this step does nothing", (name or fields).span, help=advice)
        return None
    check_kind(fields, kind, decider, KIND_KEYS)
    step = _PARSERS[kind](fields, name or empty_name(fields.span))
    return step if name else None


def _owner(node: Node) -> tuple[str, str]:
    """What messages call this step, and its kind, as far as the keys tell before they are checked."""
    keys = {key.value for key, _ in node.entries} if isinstance(node, Mapping) else set()
    kind = next((kind for key, kind in DECIDING if key in keys), "")
    names = {"group": "a group", "agent": "an agent step", "call": "a call", "gate": "a gate step", "": "a step"}
    return names[kind], kind


def _kind(fields: Fields) -> tuple[str, str | None]:
    """The step's kind and the key that decides it."""
    found = [(key, kind) for key, kind in DECIDING if key in fields]
    if not found:
        return "", None
    agent = fields.node("agent")
    passes = isinstance(agent, Scalar) and agent.value == "pass"
    if passes and {key for key, _ in found} == {"agent", "gate"}:
        return "gate", "gate"
    return found[0][1], found[0][0]


def _parse_group(fields: Fields, name: Scalar) -> StepSyntax:
    policies = parse_on_failure(fields, keeps=False)
    return StepSyntax(
        "group",
        name,
        fields.span,
        foreach=fields.text("foreach"),
        steps=_group_steps(fields),
        parallel=is_set(fields.flag("parallel")),
        gates=parse_gates(fields),
        retry=policies.entries,
        retry_by_kind=policies.by_kind,
    )


def _group_steps(fields: Fields) -> tuple[StepSyntax, ...]:
    if "steps" in fields and "workflow" in fields:
        fields.conflict("workflow", "steps", because="a group has `steps` or a `workflow`, not both")
    if "steps" in fields or "workflow" not in fields:
        fields.require("steps", advice="what is done for each task: `steps`, or a `workflow`")
        return parse_steps(fields, "steps") if "steps" in fields else ()
    call = parse_call(fields, "workflow")
    return (StepSyntax("call", empty_name(fields.span), fields.span, call=call),) if call else ()


def _parse_called(fields: Fields, name: Scalar) -> StepSyntax:
    call = parse_call(fields, "workflow")
    return StepSyntax("call", name, fields.span, call=call, cache=fields.flag("cache"))


def _parse_gate_step(fields: Fields, name: Scalar) -> StepSyntax:
    # There is no agent whose session or files could be begun anew: an attempt only runs the gates again.
    policies = parse_on_failure(fields, keeps=True)
    return StepSyntax(
        "gate",
        name,
        fields.span,
        agent=fields.text("agent"),
        hitl=parse_hitl(fields, fields),
        gates=parse_gates(fields),
        retry=policies.entries,
        retry_by_kind=policies.by_kind,
        cache=fields.flag("cache"),
    )


def _parse_agent_step(fields: Fields, name: Scalar) -> StepSyntax:
    made = fields.choice("output", meant=_NEW_OUTPUTS)
    agent = fields.text("agent")
    if agent is None or agent.value != "pass":
        fields.require("prompt")
    session, keeps = _parse_session(fields)
    policies: Policies = parse_on_failure(fields, keeps=keeps)
    return StepSyntax(
        "agent",
        name,
        fields.span,
        type=_type(made) if made else None,
        prompt=parse_prompt(fields),
        context=parse_contexts(fields),
        worktree=fields.choice("worktree"),
        session=session,
        inputs=parse_globs(fields),
        agent=agent,
        guard=_parse_guard(fields),
        hitl=parse_hitl(fields, fields),
        gates=parse_gates(fields),
        retry=policies.entries,
        retry_by_kind=policies.by_kind,
        blast_radius=fields.choice("blast_radius"),
        cache=fields.flag("cache"),
    )


def _type(output: Scalar) -> Scalar:
    return Scalar(OUTPUTS[output.value], output.span, output.lines, output.plain)


def _parse_guard(fields: Fields) -> GuardSyntax:
    """`guard:`, with the limits that may stand at step level in this edition."""
    guard = parse_guard(fields)
    time, budget = fields.duration("timeout"), fields.number("max_budget")
    for key, twice in (("timeout", time and guard.max_time), ("max_budget", budget and guard.max_budget)):
        if twice:
            fields.conflict(key, "guard", because=f"`{key}` stands at step level and in `guard:`")
    return replace(guard, max_time=time or guard.max_time, max_budget=budget or guard.max_budget)


def _parse_session(fields: Fields) -> tuple[SessionSyntax | None, bool]:
    """The session, and whether a retry goes on in it."""
    node = fields.node("session")
    if isinstance(node, Mapping) and not unquoted_reference(node):
        inner = open_fields(node, "`session`", REUSE, fields.out)
        target = inner.text("reuse") if inner.require("reuse") else None
        return (SessionSyntax("from", target, node.span) if target else None), False
    word = fields.text("session")
    mode = read_choice(word, "`session`", SESSIONS.words, fields.out, meant=_NEW_SESSIONS) if word else None
    if mode is None:
        return None, False
    return SessionSyntax("reuse" if mode.value == "reuse" else "new", None, mode.span), mode.value == "reuse-on-retry"


_PARSERS = {
    "group": _parse_group,
    "agent": _parse_agent_step,
    "call": _parse_called,
    "gate": _parse_gate_step,
}
