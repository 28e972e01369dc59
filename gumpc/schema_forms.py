"""The JSON Schema of values and of maps, read off the parser's tables; `gumpc.schema` puts the language together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gumpc.parse_parts import FILE, FROM
from gumpc.parse_step_keys import CONTEXT, GUARD
from gumpc.parse_tables import (
    Choice,
    Duration,
    Either,
    Figure,
    Form,
    Inputs,
    Key,
    Keys,
    Many,
    Nothing,
    Part,
    Text,
    YesNo,
)
from gumpc.parse_values import DURATION, NAME, NUMBER, WHOLE

Json = dict[str, Any]

INPUT = {"type": ["string", "number", "boolean", "null"], "description": "An input of the called workflow."}


def map_of(table: Mapping[str, Key], title: str, *, required: Iterable[str] = (), rules: Iterable[Json] = ()) -> Json:
    """A map with the keys of a table and no others."""
    return {
        "title": title,
        "type": "object",
        "properties": {name: _property(key) for name, key in table.items()},
        "additionalProperties": False,
        **_if_any("required", required),
        **_if_any("allOf", rules),
    }


def _if_any(keyword: str, values: Iterable[Any]) -> Json:
    found = list(values)
    return {keyword: found} if found else {}


def _property(key: Key) -> Json:
    value = _form(key.form)
    # Beside a `$ref`, draft-07 reads nothing else.
    found = {"description": key.about, **({"allOf": [value]} if "$ref" in value else value)}
    if "pattern" in found:
        found["patternErrorMessage"] = key.about
    if key.default is not None:
        found["default"] = key.default
    return found


def _form(form: Form) -> Json:
    match form:
        case Text():
            return _text(form)
        case Choice(words):
            return {"enum": [{"true": True, "false": False}.get(word, word) for word in words]}
        case YesNo():
            return {"type": "boolean"}
        case Nothing():
            return {"enum": [None, True]}
        case Figure():
            return _figure(form)
        case Duration():
            # Some digit is not 0, which also rules out the empty text that the parser's pattern lets through.
            return {"type": "string", "pattern": f"^(?=.*[1-9]){portable(DURATION)}$"}
        case Inputs():
            return _inputs()
        case Part(name):
            return {"$ref": f"#/definitions/{name}"}
        case Many(of, least, or_one):
            several = {"type": "array", "items": _form(of), **({"minItems": least} if least else {})}
            if of == Part("retry"):
                several["contains"] = {"required": ["exit"]}
            return {"if": {"type": "array"}, "then": several, "else": _form(of)} if or_one else several
        case Either(short, long):
            return {"if": {"type": "object"}, "then": _form(long), "else": _form(short)}
        case Keys():
            return _block(form)


def _text(form: Text) -> Json:
    """A text, which a YAML reader may have taken for a number: `name: 1`."""
    if form.may_be_empty:
        return {"type": ["string", "number", "boolean", "null"]}
    if form.pattern:
        return {"type": ["string", "integer"], "pattern": f"^{portable(form.pattern)}$"}
    return {"type": ["string", "number"], "pattern": r"\S"}


def _figure(form: Figure) -> Json:
    return {
        "type": ["integer" if form.whole else "number", "string"],
        "exclusiveMinimum" if form.above else "minimum": form.low,
        "maximum": form.high,
        "pattern": f"^{portable(WHOLE if form.whole else NUMBER)}$",
    }


def portable(pattern: re.Pattern[str]) -> str:
    r"""A pattern that means the same in every dialect: in some, `\d` is any digit of Unicode."""
    return pattern.pattern.replace(r"\d", "[0-9]")


def _inputs() -> Json:
    return {"type": "object", "patternProperties": {f"^{NAME.pattern}$": INPUT}, "additionalProperties": False}


def _block(keys: Keys) -> Json:
    """A map that stands in only one place of the language."""
    if keys is FILE:
        return map_of(keys.table, "Text from a file", required=("file",))
    if keys is FROM:
        return map_of(keys.table, "Session of another step", required=("from",))
    if keys is CONTEXT:
        return map_of(keys.table, "Context", rules=one_of(("file", "bash")))
    assert keys is GUARD, "a table that the schema does not know"
    return map_of(keys.table, "Limits of an attempt", rules=[alone("max_time", ("timeout",))])


def any_of(keys: Iterable[str]) -> Json:
    """At least one of `keys` is there."""
    return {"anyOf": [{"required": [key]} for key in keys]}


def alone(key: str, others: Iterable[str]) -> Json:
    """Beside `key` there is none of `others`."""
    return {"if": {"required": [key]}, "then": none_of(others)}


def none_of(keys: Iterable[str]) -> Json:
    """None of `keys` is there."""
    return {"properties": dict.fromkeys(keys, False)}


def one_of(keys: tuple[str, ...]) -> list[Json]:
    """Exactly one of `keys`; where there are two, the later one is the fault."""
    return [any_of(keys), *(alone(key, keys[at + 1 :]) for at, key in enumerate(keys[:-1]))]
