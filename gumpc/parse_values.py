"""Single values of a workflow file: a node in, a typed value out, or None and one diagnostic.

What a scalar means is decided by the key it belongs to, not by YAML: `no` is a name where a name is expected, and
`"5"` is a number where a number is. Every function names the value in its message by the `what` it is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import isfinite

from gumpc import nodes
from gumpc.diagnostics import Collector, Edit, Fix
from gumpc.nearest import nearest
from gumpc.nodes import Node, Scalar, Sequence
from gumpc.parse_tables import MAX_NUMBER, Figure
from gumpc.source import Span
from gumpc.syntax import Flag, Number

NO_WORDS: Mapping[str, str] = {}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*", re.ASCII)

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?", re.ASCII)
_REFERENCE = re.compile(r"(?:\.?/)?[A-Za-z0-9_*][A-Za-z0-9_*./-]*", re.ASCII)
_NOT_FINITE = {".nan", "nan", ".inf", "inf", "infinity"}
_FLAG_WORDS = {
    **dict.fromkeys(("yes", "on", "1", "True", "TRUE", "y"), "true"),
    **dict.fromkeys(("no", "off", "0", "False", "FALSE", "n"), "false"),
}
_ABSENT = {"", "~", "null"}


def shown(text: str) -> str:
    """`text` as it may stand in a message: its first line, not too long, in backquotes."""
    line = text.split("\n", 1)[0]
    return f"`{line if line == text and len(line) <= 40 else line[:40] + '…'}`"


def listed(words: Iterable[str]) -> str:
    """Words in backquotes, separated by commas."""
    return ", ".join(f"`{word}`" for word in words)


def kind_of(node: Node) -> str:
    """What a node is, in the words of a message."""
    if isinstance(node, Scalar):
        return "nothing" if is_absent(node) else "text"
    return "a list" if isinstance(node, Sequence) else "a map"


def is_absent(node: Node) -> bool:
    """True for a key with no value, or with YAML's null."""
    return isinstance(node, Scalar) and node.plain and node.value in _ABSENT


def at_start(node: Node) -> Span:
    """Where to underline a node: all of it when it stands on one line, else what its first line begins with."""
    span = node.span
    if span.line == span.end_line:
        return span
    if isinstance(node, nodes.Mapping) and node.entries and node.entries[0][0].span.line == span.line:
        return node.entries[0][0].span
    return Span(span.file, span.line, span.column, span.line, span.column + 1)


def part_of(scalar: Scalar, start: int, end: int) -> Scalar:
    """The scalar that stands for `value[start:end]`, its places kept."""
    first = scalar.locate(start, start)
    inner = tuple((at - start, line, column) for at, line, column in scalar.lines if start < at < end)
    lines = ((0, first.line, first.column), *inner)
    return Scalar(scalar.value[start:end], scalar.locate(start, end), lines, scalar.plain)


def unquoted_reference(node: Node) -> Scalar | None:
    """`{name.field}` without quotes, which YAML reads as a map with one key and no value, as the text it was meant."""
    if not isinstance(node, nodes.Mapping) or len(node.entries) != 1:
        return None
    key, value = node.entries[0]
    span = node.span
    is_flow = (span.line, span.column) < (key.span.line, key.span.column) and span.line == key.span.line
    if not (is_flow and key.plain and is_absent(value) and _REFERENCE.fullmatch(key.value)):
        return None
    if span.end_line != span.line:
        return None
    lines = (
        (0, span.line, span.column),
        (1, key.span.line, key.span.column),
        (1 + len(key.value), span.line, span.end_column - 1),
    )
    return Scalar(f"{{{key.value}}}", span, lines)


def read_text(node: Node, what: str, out: Collector, *, may_be_empty: bool = False) -> Scalar | None:
    """A string or template; `what` names it in messages, as `` `prompt` `` or `an input`."""
    reference = unquoted_reference(node)
    if reference is not None:
        out.add(
            "G010",
            f"`{reference.value}` without quotes is a map to YAML; it is read as the reference",
            reference.span,
            fix=Fix("put quotes around it", (Edit(reference.span, f'"{reference.value}"'),)),
        )
        return reference
    if not isinstance(node, Scalar):
        advice = "quote a value that begins with `{` or `[`"
        out.add("G103", f"{what} must be text, not {kind_of(node)}", at_start(node), help=advice)
        return None
    if not may_be_empty and (is_absent(node) or not node.value.strip()):
        out.add("G103", f"{what} has no value", node.span, label="expected text")
        return None
    return node


def read_choice(
    scalar: Scalar, what: str, allowed: Iterable[str], out: Collector, *, meant: Mapping[str, str] = NO_WORDS
) -> Scalar | None:
    """`scalar` if it is one of the words allowed; `meant` knows what people mean by some that are not."""
    words = tuple(allowed)
    if scalar.value in words:
        return scalar
    near = meant.get(scalar.value) or nearest(scalar.value, words)
    out.add(
        "G104",
        f"{shown(scalar.value)} is not a value of {what}, which is one of {listed(words)}",
        scalar.span,
        label=f"did you mean `{near}`?" if near else "",
        fix=Fix(f"change to `{near}`", (Edit(scalar.span, near),)) if near else None,
    )
    return None


def read_name(scalar: Scalar, what: str, out: Collector) -> Scalar | None:
    """`scalar` if it may be the name of a step, a gate or an input."""
    if NAME.fullmatch(scalar.value):
        return scalar
    rule = "letters, digits, `_` and `-`, the first a letter or a digit"
    out.add("G108", f"{shown(scalar.value)} is not a name of {what}: {rule}", scalar.span, help=_name_advice(scalar))
    return None


def _name_advice(scalar: Scalar) -> str:
    slug = re.sub(r"[^A-Za-z0-9]+", "-", scalar.value[:60], flags=re.ASCII).strip("-")
    return f"for example `{slug}`" if slug else ""


def read_flag(node: Node, what: str, out: Collector) -> Flag | None:
    """`true` or `false`."""
    scalar = read_text(node, what, out)
    if scalar is None:
        return None
    found = read_choice(scalar, what, ("true", "false"), out, meant=_FLAG_WORDS)
    return Flag(found.value == "true", found.span) if found else None


def read_number(node: Node, what: str, form: Figure, out: Collector) -> Number | None:
    """A number within the bounds of `form`."""
    scalar = read_text(node, what, out)
    if scalar is None:
        return None
    text, low, high = scalar.value, form.low, form.high
    expected = "a whole number" if form.whole else "a number"
    if text.lower().lstrip("+-") not in _NOT_FINITE and not (WHOLE if form.whole else NUMBER).fullmatch(text):
        advice = "amounts are in US dollars, written without a sign" if text.startswith("$") else ""
        out.add("G103", f"{what} must be {expected}, not {shown(text)}", scalar.span, help=advice)
        return None
    value = float(text.lower().replace(".nan", "nan").replace(".inf", "inf"))
    if not isfinite(value) and text.lower().lstrip("+-") in _NOT_FINITE:
        out.add("G106", f"{what} must be a finite number, not {shown(text)}", scalar.span)
        return None
    if not (low <= value <= high) or (form.above and value == low):
        bounds = f"more than {low:g}" if form.above else f"at least {low:g}"
        bounds = f"from {low:g} to {high:g}" if high != MAX_NUMBER else bounds
        bounds = f"at most {high:g}" if value > MAX_NUMBER else bounds
        out.add("G106", f"{what} must be {bounds}, not {shown(text)}", scalar.span)
        return None
    return Number(value, scalar.span)


def read_duration(node: Node, what: str, out: Collector) -> Number | None:
    """`90s`, `30m`, `1h30m` as seconds."""
    scalar = read_text(node, what, out)
    if scalar is None:
        return None
    match = DURATION.fullmatch(scalar.value)
    if match is None:
        bare = NUMBER.fullmatch(scalar.value)
        advice = "a number needs a unit: `s`, `m` or `h`" if bare else "write it like `90s`, `30m` or `1h30m`"
        out.add("G107", f"{shown(scalar.value)} is not a duration", scalar.span, help=advice)
        return None
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    value = hours * 3600 + minutes * 60 + seconds
    if not 0 < value <= MAX_NUMBER:
        out.add("G106", f"{what} must be more than 0, not {shown(scalar.value)}", scalar.span)
        return None
    return Number(value, scalar.span)


def read_items(node: Node, what: str, out: Collector) -> tuple[Node, ...]:
    """The items of a list; none, and a diagnostic, when it is no list."""
    if isinstance(node, Sequence):
        return node.items
    span = node.span
    fix = None
    if isinstance(node, Scalar) and node.plain and not is_absent(node) and span.line == span.end_line:
        end = Span(span.file, span.end_line, span.end_column, span.end_line, span.end_column)
        if not any(character in ",[]{}:#" for character in node.value):
            fix = Fix("put it in brackets", (Edit(span.start(), "["), Edit(end, "]")))
    found = "but has no value" if is_absent(node) else f"not {kind_of(node)}"
    out.add("G103", f"{what} must be a list, {found}", at_start(node), fix=fix)
    return ()
