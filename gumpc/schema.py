"""The JSON Schema of the workflow language (edition 4, draft-07), which editors complete, explain and check by.

Keys, words, bounds, defaults and descriptions are the parser's own tables; only how keys go together, which the parser
says in code, is said again here, and tests hold both to the same files. Kinds are told by `if`/`then` and not by
`oneOf`: an editor then speaks of the kind that was meant, and not of every way in which a step fits none.

Values are those of an editor's YAML reader, so a number is one with or without quotes. docs/editors.md lists where the
schema has to differ from the parser.
"""

from __future__ import annotations

import json
import re

from gumpc.fields import RESERVED
from gumpc.parse_gate import GATES, TABLES
from gumpc.parse_retry import CONDITIONS, ENTRY, OVERRIDES
from gumpc.parse_step_keys import ALL_KEYS, DECIDING, GET, GET_KEYS, KIND_KEYS, RUN, RUN_KEYS
from gumpc.parse_tables import Figure, Nothing
from gumpc.parse_values import NAME, NUMBER
from gumpc.parser import IGNORED, ROOT
from gumpc.schema_forms import INPUT, Json, alone, any_of, map_of, none_of, one_of, portable

_PASS = {"properties": {"agent": {"const": "pass"}}, "required": ["agent"]}
_PASSES = {"anyOf": [_PASS, {"properties": {"run": _PASS}, "required": ["run"]}]}


def schema_text() -> str:
    """The schema as the text of its file, the same from call to call."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def schema() -> Json:
    """The schema, its keys in the order in which an editor offers them."""
    root = map_of(ROOT.table, "Workflow", required=("name", "steps"))
    root["properties"]["edition"]["enum"] = [4]
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **root,
        "patternProperties": {f"^{IGNORED}": {"description": "Ignored: a place for YAML anchors."}},
        "definitions": {
            "step": _step(),
            "group": map_of(_keys_of("group"), "Group of steps", required=("name", "steps")),
            "agent-step": _agent_step(),
            "call": map_of(_keys_of("call"), "Call of a workflow", required=("name", "workflow")),
            "gate-step": _gate_step(),
            "unfinished-step": _unfinished_step(),
            "get": _get(),
            "run": map_of(RUN.table, "What runs"),
            "gate": _gate(),
            "retry": _retry_entry(),
        },
    }


def _keys_of(kind: str) -> Json:
    return {name: ALL_KEYS[name] for name in KIND_KEYS[kind]}


def _step() -> Json:
    """One kind or another, by the strongest key that there is; a gate step may look like an agent step that passes."""
    deciding = {kind: [key for key, of in DECIDING if of == kind] for kind in KIND_KEYS}
    agentless = [key for key, _ in DECIDING if key not in ("agent", "run", "gate")]
    chain = (
        (any_of(deciding["group"]), "group"),
        ({"required": ["gate"], **none_of(agentless), **_PASSES}, "gate-step"),
        (any_of(deciding["agent"]), "agent-step"),
        (any_of(deciding["call"]), "call"),
        (any_of(deciding["gate"]), "gate-step"),
    )
    found: Json = {"$ref": "#/definitions/unfinished-step"}
    for condition, name in reversed(chain):
        found = {"if": condition, "then": {"$ref": f"#/definitions/{name}"}, "else": found}
    return {"type": "object", **found}


def _unfinished_step() -> Json:
    """A step without a key that says what it does, as it is while someone types it."""
    rules = [any_of(("type", "gate", "steps", "workflow"))]
    return _named(map_of(ALL_KEYS, "Step", required=("name",), rules=rules))


def _named(step: Json) -> Json:
    """A step whose name is none that templates use; of groups and calls the resolver tells."""
    name = step["properties"]["name"]
    name["pattern"] = f"^(?!(?:{'|'.join(RESERVED)})$){NAME.pattern}$"
    name["patternErrorMessage"] = f"{name['description']} Reserved: {', '.join(RESERVED)}."
    return step


def _agent_step() -> Json:
    prompted = {
        "if": {"required": ["get"]},
        "then": {"properties": {"get": {"required": ["prompt"]}}},
        "else": {"required": ["prompt"]},
    }
    some_tree = {"properties": {"worktree": {"enum": ["read-write", "read-only"]}}}
    rules = [
        alone("get", (*GET_KEYS, "with")),
        *_run_rules(),
        {"if": {"required": ["with"]}, "then": {"required": ["workflow"]}},
        {"if": _PASSES, "else": prompted},
        {"if": _type_in("code"), "then": {"properties": {**some_tree["properties"], "get": some_tree}}},
        {"if": _type_in("code", "validate", "artifact"), "then": none_of(("each", "parallel", "blast_radius"))},
    ]
    return _named(map_of(_keys_of("agent"), "Agent step", required=("name", "type"), rules=rules))


def _run_rules() -> list[Json]:
    """With `run:` its keys do not stand flat, save `hitl`, which may where `run:` has none."""
    has_hitl = {"properties": {"run": {"required": ["hitl"]}}, "required": ["run"]}
    return [
        alone("run", [key for key in RUN_KEYS if key != "hitl"]),
        {"if": has_hitl, "then": none_of(("hitl",))},
    ]


def _type_in(*types: str) -> Json:
    return {"properties": {"type": {"enum": list(types)}}, "required": ["type"]}


def _gate_step() -> Json:
    again = {"if": {"required": ["retry"]}, "then": _PASSES}
    step = _named(map_of(_keys_of("gate"), "Gate step", required=("name", "gate"), rules=[*_run_rules(), again]))
    step["properties"]["gate"]["minItems"] = 1
    step["properties"]["agent"] = {"description": step["properties"]["agent"]["description"], "enum": ["pass"]}
    return step


def _get() -> Json:
    """A `get:` block; beside a `workflow`, any other key is an input of it."""
    plain = map_of(GET.table, "What the agent is given")
    return {
        "if": {"required": ["workflow"]},
        "then": {**plain, **_open(plain)},
        "else": map_of(GET_KEYS, "What the agent is given"),
    }


def _open(plain: Json) -> Json:
    """The keywords that let a map hold inputs beside its own keys."""
    own = "|".join(re.escape(key) for key in plain["properties"])
    return {"patternProperties": {f"^(?!(?:{own})$){NAME.pattern}$": INPUT}}


def _gate() -> Json:
    """A gate as a map, or as a word with or without a value."""
    return {"title": "Gate", "if": {"type": "object"}, "then": _gate_map(), "else": _gate_word()}


def _gate_map() -> Json:
    found = map_of(GATES, "Gate", rules=[any_of(GATES)])
    # The last of them is asked for first: `validate`, whose inputs may be called like any gate.
    for kind in GATES:
        found = {"if": {"required": [kind]}, "then": _gate_of(kind), "else": found}
    return found


def _gate_of(kind: str) -> Json:
    gate = map_of(TABLES[kind].table, "Gate")
    return {**gate, **_open(gate)} if kind == "validate" else gate


def _gate_word() -> Json:
    bare = [kind for kind, key in GATES.items() if isinstance(key.form, Nothing)]
    return {
        "if": {"type": "string", "pattern": ":"},
        "then": {
            "pattern": f"^(?:{'|'.join(_gate_pattern(kind) for kind in GATES)})",
            "patternErrorMessage": 'A gate with a value: `bash: make smoke`, `coverage: 80`, `touched: "tests/**"`.',
        },
        "else": {"enum": bare, "enumDescriptions": [GATES[kind].about for kind in bare]},
    }


def _gate_pattern(kind: str) -> str:
    match GATES[kind].form:
        case Nothing():
            value = r"true\s*$"
        case Figure():
            value = rf"{portable(NUMBER)}\s*$"
        case _:
            value = r"\S"
    return rf"{kind}\s*:\s*{value}"


def _retry_entry() -> Json:
    rules = [
        *one_of(tuple(CONDITIONS)),
        alone("exit", OVERRIDES),
        *(alone(condition, ("with",)) for condition in CONDITIONS if condition != "validate"),
    ]
    return map_of(ENTRY.table, "Retry entry", rules=rules)
