"""Gates: `compile`, `"bash: make smoke"`, `{validate: review, diff: "{diff}", as: NAME, cache: false}`."""

from __future__ import annotations

from gumpc.diagnostics import Collector, Edit, Fix
from gumpc.nearest import nearest
from gumpc.nodes import Mapping, Node, Scalar, Sequence
from gumpc.parse_keys import Fields, open_fields
from gumpc.parse_parts import CACHE, WITH, parse_call
from gumpc.parse_tables import Figure, Key, Keys, Many, Nothing, Text, YesNo
from gumpc.parse_values import (
    NAME,
    at_start,
    is_absent,
    kind_of,
    listed,
    part_of,
    read_number,
    read_text,
    shown,
    unquoted_reference,
)
from gumpc.syntax import CallSyntax, GateSyntax

GATES = {
    "compile": Key("The project's build command ends with 0.", Nothing()),
    "test": Key("The project's test command ends with 0.", Nothing()),
    "lint": Key("The project's linter ends with 0; left out, and said, where there is none.", Nothing()),
    "coverage": Key("The coverage command reports this percentage or more.", Figure(high=100)),
    "schema": Key("The output has the form of the step's type.", Nothing()),
    "touched": Key("Some changed file matches: one glob, or a list of them.", Many(Text(), least=1, or_one=True)),
    "untouched": Key("No changed file matches: one glob, or a list of them.", Many(Text(), least=1, or_one=True)),
    "tests_found": Key("The test runner finds a test, whatever its result.", Nothing()),
    "bash": Key("This command ends with 0. A reference in it becomes a shell variable."),
    "validate": Key("This workflow's last validate step says yes; its inputs stand beside it or under `with`."),
}
SETTINGS = {
    "as": Key("The gate's name in `{gate.NAME}`; without it, its kind.", Text(NAME)),
    "cache": Key(CACHE, YesNo(), default=True),
}
TABLES = {kind: Keys({kind: key, **SETTINGS}) for kind, key in GATES.items()}
TABLES["validate"] = Keys({"validate": GATES["validate"], **SETTINGS, "with": WITH})
_ALL = Keys({**GATES, **SETTINGS})
_NEEDS = {
    "coverage": "a percentage: `coverage: 80`",
    "touched": 'a glob: `touched: "tests/**"`',
    "untouched": 'a glob: `touched: "tests/**"`',
    "bash": "a command: `bash: make smoke`",
    "validate": "a workflow: `validate: validators/NAME`",
}


def parse_gates(fields: Fields) -> tuple[GateSyntax, ...]:
    """The `gate:` list of a step or group."""
    gates = (parse_gate(node, fields.out) for node in fields.items("gate"))
    return tuple(gate for gate in gates if gate)


def parse_gate(node: Node, out: Collector) -> GateSyntax | None:
    """One entry of `gate:`, as a string or as a map."""
    if isinstance(node, Scalar) and not is_absent(node):
        return _parse_string(node, out)
    if isinstance(node, Mapping) and not unquoted_reference(node):
        return _parse_map(node, out)
    message = "this gate is empty" if is_absent(node) else f"a gate is a word or a map, not {kind_of(node)}"
    out.add("G103", message, at_start(node), help=f"gates: {listed(GATES)}")
    return None


def _parse_string(scalar: Scalar, out: Collector) -> GateSyntax | None:
    kind, colon, rest = scalar.value.partition(":")
    name = part_of(scalar, 0, len(kind.rstrip()))
    if name.value not in GATES:
        _report_kind(name, out)
        return None
    start = len(kind) + 1 + len(rest) - len(rest.lstrip())
    value = part_of(scalar, start, start + len(rest.strip())) if rest.strip() else None
    if colon and value is None and isinstance(GATES[name.value].form, Nothing):
        value = part_of(scalar, len(kind), len(kind) + 1)
    if name.value == "validate" and value:
        return GateSyntax("validate", scalar.span, call=CallSyntax(value, (), scalar.span))
    return _gate(name, value, scalar, out)


def _parse_map(node: Mapping, out: Collector) -> GateSyntax | None:
    kinds = [key for key, _ in node.entries if key.value in GATES]
    if not kinds:
        near = next((key for key, _ in node.entries if nearest(key.value, GATES)), None)
        first = near or (node.entries[0][0] if node.entries else None)
        if first is None:
            out.add("G103", "a gate is a word or a map, not an empty map", node.span)
        else:
            _report_kind(first, out)
        return None
    kind = kinds[0]
    is_call = kind.value == "validate"
    if len(kinds) > 1 and not is_call:
        fields = open_fields(node, "a gate", _ALL, out)
        because = f"`{kinds[0].value}` and `{kinds[1].value}` are two gates in one entry of the list"
        fields.conflict(kinds[1].value, kinds[0].value, because=because, advice="begin each gate with its own `- `")
        return None
    fields = open_fields(node, f"the gate `{kind.value}`", TABLES[kind.value], out, takes_extra=is_call)
    name = fields.name("as", of="a gate")
    cache = fields.flag("cache")
    call = parse_call(fields, "validate") if is_call else None
    if is_call:
        gate = GateSyntax("validate", node.span, call=call) if call else None
    else:
        value = fields.node(kind.value)
        gate = _gate(kind, None if value is None or is_absent(value) else value, node, out)
    if gate is None:
        return None
    return GateSyntax(
        gate.kind, gate.span, gate.arguments, gate.threshold, gate.call, name, cache.value if cache else True
    )


def _gate(kind: Scalar, value: Node | None, whole: Node, out: Collector) -> GateSyntax | None:
    """A gate other than `validate` from its kind and what stands behind the colon."""
    form = GATES[kind.value].form
    what = f"the gate `{kind.value}`"
    if isinstance(form, Nothing):
        if value is not None and not (isinstance(value, Scalar) and value.value == "true"):
            advice = "a command of your own is a `bash:` gate"
            out.add("G103", f"{what} takes no value", at_start(value), help=advice)
            return None
        return GateSyntax(kind.value, whole.span)
    if value is None:
        out.add("G101", f"{what} needs {_NEEDS[kind.value]}", kind.span)
        return None
    if isinstance(form, Figure):
        number = read_number(value, what, form, out)
        return GateSyntax(kind.value, whole.span, threshold=number) if number else None
    several = isinstance(form, Many) and isinstance(value, Sequence)
    nodes = value.items if several and isinstance(value, Sequence) else (value,)
    texts = [text for text in (read_text(node, what, out) for node in nodes) if text]
    if several and not nodes:
        out.add("G101", f"{what} needs {_NEEDS[kind.value]}", value.span)
    return GateSyntax(kind.value, whole.span, tuple(texts)) if texts else None


def _report_kind(name: Scalar, out: Collector) -> None:
    near = nearest(name.value, GATES)
    edits = (Edit(name.span, near),) if near and name.span.line == name.span.end_line else ()
    advice = "" if near else "a command of your own is a `bash:` gate, a workflow that judges a `validate:` gate"
    out.add(
        "G104",
        f"{shown(name.value)} is not a gate, which is one of {listed(GATES)}",
        at_start(name),
        label=f"did you mean `{near}`?" if near else "",
        help=advice,
        fix=Fix(f"change to `{near}`", edits) if near and edits else None,
    )
