"""A workflow file as an editor's YAML reader hands it to a schema: plain scalars typed as YAML 1.2 types them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gumpc.nodes import Mapping, Node, Scalar, Sequence

WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{sign + dot: float(sign + "inf") for sign in ("", "-", "+") for dot in (".inf", ".Inf", ".INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
INTEGER = re.compile(r"[-+]?[0-9]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def instance(node: Node) -> object:
    """`node` as JSON."""
    match node:
        case Scalar(value, plain=True):
            return _plain(value)
        case Scalar(value):
            return value
        case Sequence(items):
            return [instance(item) for item in items]
        case Mapping(entries):
            return {key.value: instance(value) for key, value in entries}


def _plain(text: str) -> object:
    if text in WORDS:
        return WORDS[text]
    if INTEGER.fullmatch(text):
        return int(text)
    return float(text) if FLOAT.fullmatch(text) else text


def place(node: Node, path: Iterable[str | int]) -> Node:
    """The node at a JSON path."""
    for step in path:
        if isinstance(node, Sequence) and isinstance(step, int):
            node = node.items[step]
        else:
            assert isinstance(node, Mapping)
            node = node.get(str(step)) or node
    return node
