"""Shell commands whose references travel through the environment instead of through the command's text.

A reference becomes a shell variable, quoted so that its value is always one word: `rm {x}` is `rm "${GUMPC_1}"`.
Where the shell would not expand a variable (single quotes, a comment, after a backslash), or where quotes would stay
in the text (a here-document), there is no safe form, and the place is an error. The scanner knows just enough of
POSIX quoting to tell these places apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from gumpc.template import PathSyntax, TemplateSyntax


@dataclass(frozen=True, slots=True)
class Unquotable:
    """A reference at a place where the shell would not expand it, and what that place is."""

    reference: PathSyntax
    place: str


@dataclass(slots=True)
class _Scanner:
    """The quoting in force after the text seen so far."""

    quote: str = ""
    comment: bool = False
    heredoc: bool = False
    escaped: bool = False
    previous: str = "\n"

    def feed(self, text: str) -> None:
        for index, char in enumerate(text):
            self._step(char, text[index : index + 4])
            self.previous = char

    def _step(self, char: str, ahead: str) -> None:
        if self.comment:
            self.comment = char != "\n"
        elif self.quote == "'":
            self.quote = "" if char == "'" else "'"
        elif self.escaped:
            self.escaped = False
        elif char == "\\":
            self.escaped = True
        elif self.quote == '"':
            self.quote = "" if char == '"' else '"'
        elif char in "'\"":
            self.quote = char
        elif char == "#" and self.previous in " \t\n;&|(":
            self.comment = True
        elif ahead.startswith("<<") and self.previous != "<" and not ahead.startswith("<<<"):
            self.heredoc = True

    @property
    def refusal(self) -> str:
        """Why a variable would not be expanded here, or nothing."""
        if self.comment:
            return "a comment"
        if self.quote == "'":
            return "single quotes"
        if self.heredoc:
            return "a here-document"
        return "an escape" if self.escaped else ""


def compile_script(template: TemplateSyntax) -> tuple[str, tuple[Unquotable, ...]]:
    """The command's text with `${GUMPC_n}` for the n-th reference, and the references that cannot be carried so."""
    scanner = _Scanner()
    text: list[str] = []
    refused: list[Unquotable] = []
    count = 0
    for part in template:
        if isinstance(part, str):
            scanner.feed(part)
            text.append(part)
            continue
        count += 1
        if scanner.refusal:
            refused.append(Unquotable(part, scanner.refusal))
        variable = f"${{GUMPC_{count}}}"
        text.append(variable if scanner.quote == '"' else f'"{variable}"')
        scanner.previous = "}"
    return "".join(text), tuple(refused)


def variable(number: int) -> str:
    """The environment variable that carries the value of reference `number`, counted from 1."""
    return f"GUMPC_{number}"
