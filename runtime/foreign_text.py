"""Foreign text and JSON, decoded with every fault named: bytes that are no UTF-8, JSON that is none, wrong shapes.

The JSON reader is pydantic's: it limits depth, and refuses NaN and lone surrogates, where the standard one overflows
the stack or passes them on to whoever writes them to disk.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic_core import ErrorDetails, from_json

MAX_BYTES = 10 * 2**20
"""The largest output that is read."""
MAX_FAULTS = 10
"""How many faults of one output are told."""


@dataclass(frozen=True, slots=True)
class OutputError:
    """Why an output can't be used; `message` has one line per fault."""

    message: str


_WIDE = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decoded(data: str | bytes) -> str | OutputError:
    """The text of a file or a message, without a byte order mark; UTF-8 and `MAX_BYTES` at most, or an error."""
    if len(data) > MAX_BYTES:
        return OutputError(f"larger than {MAX_BYTES // 2**20} MB")
    if isinstance(data, str):
        return _encodable(data)
    if data.startswith(_WIDE):
        return OutputError("not UTF-8 but UTF-16 or UTF-32; expected UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return OutputError(f"not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start:,}")


def _encodable(text: str) -> str | OutputError:
    """The text itself, unless half of a surrogate pair is in it, which no file and no prompt can hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return OutputError(f"holds a lone surrogate at offset {error.start:,}")
    return text


def json_value(data: str | bytes) -> object:
    """The JSON value, or an `OutputError`."""
    text = decoded(data)
    if isinstance(text, OutputError):
        return text
    if not text.strip():
        return OutputError("empty; expected JSON")
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        return OutputError(f"not JSON: {error}")


def kind_of(value: object) -> str:
    """What a JSON value is, for a message."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def all_faults(messages: Iterator[str]) -> OutputError:
    """All faults as one error, the first `MAX_FAULTS` of them written out; without any, its message is empty."""
    found = list(messages)
    more = [f"and {len(found) - MAX_FAULTS:,} more faults"] if len(found) > MAX_FAULTS else []
    return OutputError("\n".join(found[:MAX_FAULTS] + more))


def field_name(location: tuple[str | int, ...]) -> str:
    """A place inside a value, for a message: a field `files[1]`; empty for the value itself."""
    path = "".join(f"[{part}]" if isinstance(part, int) else str(part) for part in location)
    return f"field `{path}`" if path else ""


_REASONS = {
    "missing": "missing; expected {wanted}",
    "model_type": "not an object but {kind}; expected {wanted}",
    "string_type": "not a string but {kind}",
    "bool_type": "not a boolean but {kind}",
    "list_type": "not a list of strings but {kind}",
}


def reason_of(detail: ErrorDetails) -> str:
    """What is wrong at one place, in the words of this language rather than the library's where they differ."""
    wanted = "an object with `name` and `description`" if detail["type"] == "model_type" else "a value"
    template = _REASONS.get(detail["type"])
    if template is None:
        return detail["msg"]
    return template.format(kind=kind_of(detail["input"]), wanted=wanted)
