"""Parts that a step and a retry entry share: prompts, sessions, and the inputs given to a called workflow."""

from __future__ import annotations

from collections.abc import Iterable

from gumpc.diagnostics import Collector
from gumpc.nodes import Mapping, Node, Scalar
from gumpc.parse_keys import Fields, open_fields
from gumpc.parse_tables import Choice, Either, Inputs, Key, Keys, Text
from gumpc.parse_values import at_start, read_choice, read_name, read_text, shown, unquoted_reference
from gumpc.syntax import CallSyntax, FileText, SessionSyntax

FILE = Keys({"file": Key("The file's path, relative to the workflow's file; a template.")})
FROM = Keys({"from": Key("The step whose session goes on.")})
PROMPT = Either(Text(), FILE)
WITH = Key("The inputs given to the called workflow: names, and templates as their values.", Inputs())
CACHE = "`false`: never taken from the cache, always run."

_OLD_SESSIONS = {
    "reuse": "write `session: {from: STEP}`, naming the step whose session goes on",
    "reuse-on-retry": "a retry goes on in its own session by default; delete this line",
    "fresh": "write `session: new`",
}


def parse_prompt(fields: Fields, name: str = "prompt") -> Scalar | FileText | None:
    """A template, or `{file: path}`."""
    node = fields.node(name)
    if not isinstance(node, Mapping) or unquoted_reference(node):
        return fields.text(name)
    inner = open_fields(node, f"the map form of `{name}`", FILE, fields.out)
    file = inner.text("file") if inner.require("file", advice="quote a text that begins with `{`") else None
    return FileText(file, node.span) if file else None


def parse_session(fields: Fields, modes: Choice, *, may_continue: bool) -> SessionSyntax | None:
    """One of `modes`, or, with `may_continue`, `{from: STEP}`."""
    node = fields.node("session")
    if node is None:
        return None
    if isinstance(node, Mapping) and may_continue and not unquoted_reference(node):
        inner = open_fields(node, "`session`", FROM, fields.out)
        target = inner.text("from") if inner.require("from") else None
        return SessionSyntax("from", target, node.span) if target else None
    if isinstance(node, Mapping) and not unquoted_reference(node):
        words = " or ".join(f"`{mode}`" for mode in modes.words)
        fields.out.add("G103", f"`session` in {fields.owner} is {words}, not a map", at_start(node))
        return None
    word = fields.text("session")
    if word is None:
        return None
    if word.value in _OLD_SESSIONS:
        message = f"`session: {word.value}` belongs to edition 3; this file is of edition 4"
        fields.out.add("G110", message, word.span, help=_OLD_SESSIONS[word.value])
        return None
    if word.value == "from":
        fields.out.add("G104", "`session: from` names no step", word.span, help="write `session: {from: STEP}`")
        return None
    mode = read_choice(word, "`session`", modes.words, fields.out)
    return SessionSyntax(mode.value, None, node.span) if mode else None


def parse_call(fields: Fields, key: str) -> CallSyntax | None:
    """The workflow named by `key`, with the inputs under `with:` and those that stand beside it."""
    workflow = fields.text(key)
    given = list(fields.extra)
    inner = fields.node("with")
    if isinstance(inner, Mapping):
        given += inner.entries
    elif inner is not None:
        fields.out.add("G103", "`with` must be a map of inputs", at_start(inner), help="write `with: {NAME: VALUE}`")
    inputs = _parse_inputs(given, fields.out)
    if workflow is None:
        return None
    last = inputs[-1][1].span if inputs else workflow.span
    end = max((last, workflow.span), key=lambda span: (span.end_line, span.end_column))
    span = fields.key(key).span
    return CallSyntax(workflow, inputs, type(span)(span.file, span.line, span.column, end.end_line, end.end_column))


def _parse_inputs(given: Iterable[tuple[Scalar, Node]], out: Collector) -> tuple[tuple[Scalar, Scalar], ...]:
    inputs: dict[str, tuple[Scalar, Scalar]] = {}
    for key, node in given:
        name = read_name(key, "an input", out)
        value = read_text(node, f"the input {shown(key.value)}", out, may_be_empty=True)
        if name and name.value in inputs:
            out.add("G004", f"the input `{name.value}` is given twice", name.span)
        elif name and value:
            inputs[name.value] = (name, value)
    return tuple(inputs.values())
