"""A string of a workflow, split into literal text and references that are not yet resolved.

The language is defined by `grammar/template.lark`; Lark is imported only for strings that hold a brace, because most
do not and its import costs as much as reading a workflow. Equal strings are parsed once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lark import Lark


@dataclass(frozen=True, slots=True)
class PathSyntax:
    """A reference as written: `anchor` is `/`, `./` or empty; `start` and `end` are offsets in the string."""

    anchor: str
    segments: tuple[str, ...]
    fields: tuple[str, ...]
    written: str
    start: int
    end: int


TemplateSyntax = tuple[str | PathSyntax, ...]


@cache
def parse_template(text: str) -> TemplateSyntax:
    """Literal strings and references, in order; never fails, because what is not a reference is text."""
    if "{" not in text and "}" not in text:
        return (text,) if text else ()
    parts: list[str | PathSyntax] = []
    offset = 0
    for kind, token in _tokens(text, "template"):
        if kind == "REFERENCE":
            parts.append(_path(token, offset))
        else:
            literal = {"ESCAPED_OPEN": "{", "ESCAPED_CLOSE": "}"}.get(kind, token)
            if parts and isinstance(parts[-1], str):
                parts[-1] += literal
            else:
                parts.append(literal)
        offset += len(token)
    return tuple(parts)


def unclosed(text: str) -> tuple[tuple[int, int], ...]:
    """The `(start, end)` of each `{name` that has no closing brace on its line."""
    found = []
    offset = 0
    for line in text.splitlines(keepends=True):
        opening = line.rfind("{")
        if opening >= 0 and "}" not in line[opening:] and line[opening - 1 : opening] not in ("{", "$"):
            name = line[opening + 1 :].strip()
            if name and name[0].isalpha() and name.replace("_", "a").replace("-", "a").replace(".", "a").isalnum():
                found.append((offset + opening, offset + opening + 1 + len(name)))
        offset += len(line)
    return tuple(found)


def _path(reference: str, start: int) -> PathSyntax:
    tokens = _tokens(reference[1:-1], "path")
    anchor = "".join(text for kind, text in tokens if kind == "ANCHOR")
    segments = tuple(text for kind, text in tokens if kind == "SEGMENT")
    fields = tuple(text for kind, text in tokens if kind == "FIELD")
    return PathSyntax(anchor, segments, fields, reference, start, start + len(reference))


def _tokens(text: str, start: str) -> list[tuple[str, str]]:
    """The kind and text of each token, in order."""
    from lark import Token

    tree = _lark().parse(text, start=start)
    return [(token.type, str(token)) for token in tree.children if isinstance(token, Token)]


@cache
def _lark() -> Lark:
    from importlib.resources import files

    from lark import Lark

    grammar = files("grammar").joinpath("template.lark")
    return Lark(FilePath(str(grammar)).read_text("utf-8"), parser="lalr", start=["template", "path"])
