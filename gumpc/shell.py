"""Shell commands whose references travel through the environment instead of through the command's text.

A reference becomes a shell variable, quoted so that its value is always one word: `rm {x}` is `rm "${GUMPC_1}"`.
Where there is no safe form (single quotes, a comment, a here-document, the name of a command, code for `eval`), the
place is an error; `gumpc.shell_scanner` tells these places apart. What a program makes of its arguments is its own
business: the promise is that it gets the value as one argument, and that no shell reads the value as code.
"""

from __future__ import annotations

from dataclasses import dataclass

from gumpc.shell_scanner import Scanner
from gumpc.template import PathSyntax, TemplateSyntax


@dataclass(frozen=True, slots=True)
class Unquotable:
    """A reference at a place where the shell would not pass it on as text, and what that place is."""

    reference: PathSyntax
    place: str


def compile_script(template: TemplateSyntax) -> tuple[str, tuple[Unquotable, ...]]:
    """The command's text with `${GUMPC_n}` for the n-th reference, and the references that cannot be carried so."""
    scanner = Scanner()
    text: list[str] = []
    refused: list[Unquotable] = []
    count = 0
    for part in template:
        if isinstance(part, str):
            scanner.read(part)
            text.append(part)
            continue
        count += 1
        if scanner.refusal:
            refused.append(Unquotable(part, scanner.refusal))
        expansion = f"${{{variable(count)}}}"
        text.append(expansion if scanner.is_quoted else f'"{expansion}"')
        scanner.reference()
    return "".join(text), tuple(refused)


def variable(number: int) -> str:
    """The environment variable that carries the value of reference `number`, counted from 1."""
    return f"GUMPC_{number}"
