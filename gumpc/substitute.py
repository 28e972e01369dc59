"""Templates turned into text, once the values are known.

A value goes in as it is: braces, dollars and everything else in it stay untouched, since nothing is parsed again. A
line whose only content is references that are all empty is dropped, so that optional parts of a prompt leave no gaps.
"""

from __future__ import annotations

from collections.abc import Callable

from gumpc.ir import AttemptTarget, Reference, Template, Text


def substitute(template: Template, value_of: Callable[[Reference], str]) -> str:
    """The template's text; `value_of` gives the value of each reference."""
    return "".join(_line(line, value_of) for line in _lines(template))


def keep_attempt_references(value_of: Callable[[Reference], str]) -> Callable[[Reference], str]:
    """Values for telling whether a later attempt would be prompted in the same way, whatever the failure was.

    References to the step's own attempts stay as they are written; all others have their value.
    """
    return lambda ref: ref.written if isinstance(ref.target, AttemptTarget) else value_of(ref)


Piece = str | Reference


def _lines(template: Template) -> list[list[Piece]]:
    """The template cut behind each line end of its literal text."""
    lines: list[list[Piece]] = [[]]
    for part in template.parts:
        if isinstance(part, Reference):
            lines[-1].append(part)
            continue
        assert isinstance(part, Text)
        for piece in part.text.splitlines(keepends=True):
            lines[-1].append(piece)
            if piece.endswith(("\n", "\r")):
                lines.append([])
    return lines


def _line(pieces: list[Piece], value_of: Callable[[Reference], str]) -> str:
    texts = [value_of(p) if isinstance(p, Reference) else p for p in pieces]
    has_reference = any(isinstance(p, Reference) for p in pieces)
    return "" if has_reference and not "".join(texts).strip() else "".join(texts)
