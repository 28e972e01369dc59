"""A string of a workflow, split into literal text and references that are not yet resolved.

The language is defined by `grammar/template.lark`, and Lark parses it. But Lark takes 25 ms to import and to build its
tables, a third of a whole `gumpc check`, while most strings hold no brace, or only references such as `{spec}` and
`{task.files}`. Those are recognised here by one pattern; a string with anything else that means something to the
grammar (an escape, a `$`, a path, digits, a stray brace) goes to Lark as a whole. In the strings that remain no two
terminals of the grammar compete, so both ways agree, and a property test holds them to it. Tables built ahead were
rejected: Lark can only load them from a pickle, and its import is the larger part. Equal strings are parsed once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lark import Lark

_NAME = "[A-Za-z_][A-Za-z0-9_-]*"
_SIMPLE_REFERENCE = re.compile(rf"\{{({_NAME}(?:\.{_NAME})*)\}}")
_UNCLOSED = re.compile(r"(?<![{$])\{((?:\.?/)?[A-Za-z][A-Za-z0-9_-]*(?:[/.][A-Za-z0-9_-]+)*)(?![^{]*\})(?=[^{]*$)")
_MEANINGFUL = frozenset("{}$")


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
    plain = _parse_plain(text)
    return parse_by_grammar(text) if plain is None else plain


def parse_by_grammar(text: str) -> TemplateSyntax:
    """The same by Lark alone, for any string."""
    parts: list[str | PathSyntax] = []
    offset = opened = 0
    for kind, token in _tokens(text, "template"):
        if kind == "REFERENCE":
            parts.append(_path(token, offset))
        else:
            literal = token
            if kind == "ESCAPED_OPEN" or (kind == "ESCAPED_CLOSE" and opened):
                literal = token[0]
                opened += 1 if kind == "ESCAPED_OPEN" else -1
            if parts and isinstance(parts[-1], str):
                parts[-1] += literal
            else:
                parts.append(literal)
        offset += len(token)
    return tuple(parts)


def _parse_plain(text: str) -> TemplateSyntax | None:
    """The parts of a string of plain text and simple references; None when the string holds anything else."""
    parts: list[str | PathSyntax] = []
    offset = 0
    for found in _SIMPLE_REFERENCE.finditer(text):
        if found.start() > offset:
            parts.append(text[offset : found.start()])
        segment, *fields = found[1].split(".")
        parts.append(PathSyntax("", (segment,), tuple(fields), found[0], found.start(), found.end()))
        offset = found.end()
    if offset < len(text):
        parts.append(text[offset:])
    is_plain = all(isinstance(part, PathSyntax) or _MEANINGFUL.isdisjoint(part) for part in parts)
    return tuple(parts) if is_plain else None


def unclosed(text: str) -> tuple[tuple[int, int], ...]:
    """The `(start, end)` of each `{name` that has no closing brace on its line.

    Code and JSON open braces too. So a plain name counts only at the end of its line; a path, and `{spec`, everywhere.
    """
    found = []
    offset = 0
    for line in text.splitlines(keepends=True):
        opened = _UNCLOSED.search(line)
        if opened and (not line[opened.end() :].strip() or opened[1] == "spec" or not opened[1].isidentifier()):
            found.append((offset + opened.start(), offset + opened.end()))
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

    grammar = files("grammar").joinpath("template.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", start=["template", "path"])
