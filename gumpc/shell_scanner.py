"""Where in a shell command a text stands: what quotes, substitutions and words are open after what was read so far.

Just enough of the grammar that POSIX shells and bash share to say whether a variable that is put at this place would
be one word of plain text. Where shells disagree, or would read the value again as something else (arithmetic
evaluates subscripts in bash, `eval` is code), the place is refused, so a mistake here costs a false alarm and no more:
the value itself is never part of the command's text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

REFERENCE = "\0"
"""Stands in a word for a value that is not known."""

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=", re.ASCII)
_KEYWORDS = frozenset(("if", "then", "elif", "else", "while", "until", "do", "!", "{", "time"))
_BEFORE_A_COMMAND = frozenset(("command", "env", "exec", "nice", "nohup", "setsid", "sudo", "timeout", "xargs"))
_TAKE_CODE = frozenset(("eval", ".", "source", "trap", "let", "alias", "builtin", "ssh", "su"))
_TAKE_NAMES = frozenset(("declare", "typeset", "local", "unset", "read", "mapfile", "readarray", "getopts"))
_BEFORE_A_NAME = frozenset(("for", "select", "function"))
_EXPORTS = frozenset(("export", "readonly"))
_INTERPRETERS = re.compile(r"(ba|da|k|z|fi|a)?sh|python[0-9.]*|perl|ruby|node|php|[gmn]?awk")
_CODE_OPTION = re.compile(r"-[A-Za-z]*[cer]|--(eval|command|exec|run)")
_OWN_VARIABLES = re.compile(r"(PS4|ENV|BASH_ENV|PROMPT_COMMAND|PATH|LD_[A-Z_]+)\+?=")

_COMMAND, _QUOTED = "a command", "double quotes"
_BACKQUOTES, _PARAMETER, _ARITHMETIC = "backquotes", "`${…}`", "arithmetic, which bash may carry out as code"
_ARRAY = "an array"
_SAFE_KINDS = (_COMMAND, _QUOTED)


@dataclass(slots=True)
class _Frame:
    """One thing that is open. A command knows its name, its current word and the one before it."""

    kind: str
    closer: str = ""
    depth: int = 1
    joins: bool = False
    command: str | None = None
    word: str | None = None
    previous: str = ""
    to_file: bool = False
    in_test: bool = False

    def end_word(self) -> None:
        if self.word is None:
            return
        word = self.previous = self.word
        self.word = None
        if self.to_file:
            self.to_file = False
        elif word == "[[":
            self.in_test = True
        elif word == "]]":
            self.in_test = False
        elif self.command is None:
            if not _ASSIGNMENT.match(word) and word not in _KEYWORDS:
                self.command = word.rpartition("/")[2]
        elif self.command in _BEFORE_A_COMMAND and not (_ASSIGNMENT.match(word) or word[:1] in "-0123456789"):
            self.command = word.rpartition("/")[2]

    def end_command(self) -> None:
        self.end_word()
        self.command, self.previous, self.to_file = None, "", False

    def refusal(self) -> str:
        """Why a value may not stand in the current word of this command."""
        word, name = self.word or "", self.command
        if self.in_test:
            return "`[[ … ]]`, which may carry it out as code (`[ … ]` does not)"
        if self.to_file:
            return ""
        assigns = _ASSIGNMENT.match(word)
        if name is None or name in _BEFORE_A_COMMAND:
            if _OWN_VARIABLES.match(word):
                return "a variable that the shell itself acts upon"
            is_option = name is not None and word.startswith("-")
            return "" if assigns or is_option else "the place of a command's name"
        return self._refused_argument(name, assigns=assigns is not None)

    def _refused_argument(self, name: str, *, assigns: bool) -> str:
        if name in _TAKE_CODE:
            return f"an argument of `{name}`, which is code"
        is_first = self.previous == name
        if name in _TAKE_NAMES or (name in _EXPORTS and not assigns) or (name in _BEFORE_A_NAME and is_first):
            return f"an argument of `{name}`, which is a name and not a text"
        if self.previous in ("-v", "-R") and name in ("printf", "test", "["):
            return "the place of a variable's name"
        if _INTERPRETERS.fullmatch(name):
            is_program = _CODE_OPTION.fullmatch(self.previous) or (name.endswith("awk") and is_first)
            return f"the program that `{name}` carries out" if is_program else ""
        return ""


@dataclass(slots=True)
class Scanner:
    """Reads a command part by part; `reference` tells it where a value will stand."""

    _stack: list[_Frame] = field(default_factory=lambda: [_Frame(_COMMAND)])
    _single: bool = False
    _comment: bool = False
    _escaped: bool = False
    _dollar: bool = False
    _last: str = ""
    _lost: str = ""

    @property
    def is_quoted(self) -> bool:
        """True directly inside double quotes."""
        return self._stack[-1].kind == _QUOTED

    @property
    def refusal(self) -> str:
        """Why a variable would not be one word of text here, or nothing."""
        if self._lost:
            return self._lost
        if self._comment:
            return "a comment"
        if self._single:
            return "single quotes"
        if self._escaped:
            return "an escape"
        if self._dollar:
            return "the place after a `$`"
        unsafe = next((f.kind for f in self._stack if f.kind not in _SAFE_KINDS), "")
        return unsafe or next((why for f in self._words() if (why := f.refusal())), "")

    def _words(self) -> list[_Frame]:
        """The commands in whose current word the place is: of a substitution, also the one around it."""
        separate = [i for i, f in enumerate(self._stack) if f.kind == _COMMAND and not f.joins]
        return [f for f in self._stack[separate[-1] :] if f.kind == _COMMAND]

    def reference(self) -> None:
        """A value stands here."""
        self._append(REFERENCE)
        self._dollar = self._escaped = False
        self._last = REFERENCE

    def read(self, text: str) -> None:
        """Literal text of the command."""
        for index, char in enumerate(text):
            ahead = text[index + 1 : index + 3]
            dollar, self._dollar = self._dollar, False
            self._step(char, ahead, after_dollar=dollar)
            self._last = char

    def _step(self, char: str, ahead: str, *, after_dollar: bool) -> None:
        top = self._stack[-1]
        if self._comment:
            self._comment = char != "\n"
            if not self._comment:
                self._command(char, ahead, top)
        elif self._single:
            self._single = char != "'"
        elif self._escaped:
            self._escaped = False
            if char != "\n":
                self._append(char)
        elif char == "\\":
            self._escaped = True
        elif after_dollar and self._open_after_dollar(char, ahead, top):
            return
        elif top.kind == _BACKQUOTES:
            self._pop_at("`", char)
        elif char == "`":
            self._push(_Frame(_BACKQUOTES))
        elif char == "$":
            self._dollar = True
            self._append(char)
        elif top.kind == _COMMAND:
            self._command(char, ahead, top)
        elif top.kind == _QUOTED:
            self._pop_at('"', char)
        else:
            self._nested(char, top)

    def _open_after_dollar(self, char: str, ahead: str, top: _Frame) -> bool:
        if char == "(" and ahead[:1] == "(":
            self._push(_Frame(_ARITHMETIC, ")", 1, joins=True))
        elif char == "(":
            self._push(_Frame(_COMMAND, ")", joins=True))
        elif char == "{":
            self._push(_Frame(_PARAMETER, "}", joins=True))
        elif char == "[":
            self._push(_Frame(_ARITHMETIC, "]", joins=True))
        elif char == "'" and top.kind == _COMMAND:
            self._lost = "text after `$'`, whose end shells do not agree on"
        else:
            return False
        return True

    def _command(self, char: str, ahead: str, top: _Frame) -> None:
        if char == "'":
            self._single = True
            self._append("")
        elif char == '"':
            self._append("")
            self._push(_Frame(_QUOTED))
        elif char == "#" and top.word is None:
            self._comment = True
        elif char == "(":
            self._open(ahead, top)
        elif char == ")" and top.closer == ")":
            self._close(top)
        elif char in " \t":
            top.end_word()
            if top.command == "case" and top.closer:
                self._lost = "text after a `case` in parentheses"
        elif char in "<>":
            self._redirect(char, ahead, top)
        elif char == "&" and (self._last in ("<", ">") or ahead[:1] == ">"):
            return
        elif char in ";&|)\n":
            top.end_command()
        else:
            self._append(char)

    def _open(self, ahead: str, top: _Frame) -> None:
        if top.word is not None and top.word.endswith("="):
            self._push(_Frame(_ARRAY, ")"))
        elif ahead[:1] == "(":
            self._push(_Frame(_ARITHMETIC, ")"))
        else:
            is_file = self._last in ("<", ">")
            if is_file:
                self._append("")
            self._push(_Frame(_COMMAND, ")", joins=is_file))

    def _close(self, top: _Frame) -> None:
        top.end_command()
        self._stack.pop()
        if not top.joins:
            self._stack[-1].end_command()

    def _redirect(self, char: str, ahead: str, top: _Frame) -> None:
        if char == "<" and ahead[:1] == "<" and self._last != "<" and ahead != "<<":
            self._lost = "a here-document"
        if top.word is not None and top.word.isdigit():
            top.word = None
        top.end_word()
        top.to_file = True

    def _nested(self, char: str, top: _Frame) -> None:
        """Inside arithmetic, a parameter or an array: only where it ends matters."""
        if char == "'" and self._stack[-2].kind != _QUOTED:
            self._single = True
        elif char == '"':
            self._push(_Frame(_QUOTED))
        elif char == {")": "(", "]": "[", "}": "{"}[top.closer]:
            top.depth += 1
        elif char == top.closer:
            top.depth -= 1
            if not top.depth:
                self._stack.pop()

    def _pop_at(self, closer: str, char: str) -> None:
        if char == closer:
            self._stack.pop()
        else:
            self._append(char)

    def _push(self, frame: _Frame) -> None:
        self._stack.append(frame)

    def _append(self, char: str) -> None:
        """Add to the current word of the innermost command."""
        frame = next(f for f in reversed(self._stack) if f.kind == _COMMAND)
        frame.word = (frame.word or "") + char
