"""Diagnostics without those that a comment silences: `# gumpc: ignore[G403]`, on the line or alone on the line above.

Comments are no part of the nodes, so they are looked for in the text, and only in a text that holds the words. PyYAML's
scanner then tells comments from text that looks like one (a line of a prompt). No comment can stand inside of a prompt,
so one that reaches the line on which a block of text begins reaches the whole block. A comment that silences nothing
is a fault of its own: it would hide the next one, and says of the file what is no longer true.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import yaml

from gumpc.codes import CODES
from gumpc.diagnostics import Collector, Diagnostic, Edit, Fix
from gumpc.nearest import nearest
from gumpc.source import Span, line_starts

UNUSED = "G011"
_COMMENT = re.compile(r"(?<!\S)#[ \t]*gumpc: ignore(?![\w-])(?:\[(?P<codes>[^\]\r\n]*)\])?(?P<why>[^\r\n]*)")
_OF_A_REPOSITORY = ("G5", "G6")


@dataclass(frozen=True, slots=True)
class Ignore:
    """One comment: where it stands, the codes it names, and the lines `first` to `last` on which it silences them.

    `named` is the place of the codes between the brackets, None without brackets; `removal` what to delete with it,
    None where someone has written more than the codes.
    """

    span: Span
    codes: tuple[str, ...]
    first: int
    last: int
    named: Span | None
    removal: Span | None

    def silences(self, diagnostic: Diagnostic) -> bool:
        """True when this diagnostic is not to be told."""
        return diagnostic.code in self.codes and self.first <= diagnostic.span.line <= self.last


def silence(
    diagnostics: Iterable[Diagnostic], texts: Mapping[str, str], *, judged: str | None, in_repository: bool
) -> tuple[tuple[Diagnostic, ...], tuple[Diagnostic, ...]]:
    """What is still to be told, in order, and what the comments of `texts` (by file name) silenced.

    Comments of the file `judged` that silence nothing are told too. Codes that only a repository can bring about are
    not judged without one.
    """
    ignores = {name: tuple(find_ignores(name, text)) for name, text in texts.items()}
    told: list[Diagnostic] = []
    silenced: list[Diagnostic] = []
    used: set[tuple[Ignore, str]] = set()
    for diagnostic in diagnostics:
        hits = [i for i in ignores.get(diagnostic.span.file, ()) if i.silences(diagnostic)]
        used.update((ignore, diagnostic.code) for ignore in hits)
        (silenced if hits else told).append(diagnostic)
    report = Collector(told)
    for ignore in ignores.get(judged, ()) if judged is not None else ():
        excused = {code for code in ignore.codes if not in_repository and code.startswith(_OF_A_REPOSITORY)}
        _judge(ignore, {code for code in ignore.codes if (ignore, code) in used} | excused, report)
    return report.sorted(), tuple(silenced)


def find_ignores(name: str, text: str) -> Iterator[Ignore]:
    """The comments of a YAML text, as far as it can be scanned."""
    scan = _scan(text)
    starts = line_starts(text)
    for match in _COMMENT.finditer(text, 0, scan.end):
        if any(scalar.hidden <= match.start() < scalar.end for scalar in scan.scalars):
            continue
        line = bisect_right(starts, match.start())
        before = text[starts[line - 1] : match.start()]
        first = line if before.strip() and not before.lstrip().startswith("#") else _next_line(text, starts, line)
        last = max((_line(starts, s.end - 1) for s in scan.scalars if _line(starts, s.start) == first), default=first)
        yield Ignore(
            _span(name, starts, match.start(), match.end()),
            tuple(dict.fromkeys(code for part in (match["codes"] or "").split(",") if (code := part.strip()))),
            first,
            max(first, last),
            _span(name, starts, *match.span("codes")) if match["codes"] is not None else None,
            _removal(name, text, starts, match) if not match["why"].strip() else None,
        )


class _Text(NamedTuple):
    """A scalar: `[start, end)` in the text, and from where a `#` is text of it."""

    start: int
    hidden: int
    end: int


class _Scan(NamedTuple):
    scalars: Sequence[_Text]
    end: int


def _scan(text: str) -> _Scan:
    """The scalars of a text; `end` is where the scanner could go no further."""
    scalars: list[_Text] = []
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.ScalarToken):
                start, end = token.start_mark.index, token.end_mark.index
                header = re.compile("[^\r\n]*").match(text, start) if token.style in ("|", ">") else None
                scalars.append(_Text(start, header.end() if header else start, end))
    except yaml.YAMLError:
        return _Scan(scalars, scalars[-1].end if scalars else 0)
    return _Scan(scalars, len(text))


def _next_line(text: str, starts: list[int], line: int) -> int:
    """The number of the next line that holds more than a comment; `line` when there is none."""
    for number in range(line, len(starts)):
        following = text[starts[number] :].split("\n", 1)[0].strip()
        if following and not following.startswith("#"):
            return number + 1
    return line


def _line(starts: list[int], index: int) -> int:
    return bisect_right(starts, index)


def _span(name: str, starts: list[int], start: int, end: int) -> Span:
    first, last = bisect_right(starts, start), bisect_right(starts, end)
    return Span(name, first, start - starts[first - 1] + 1, last, end - starts[last - 1] + 1)


def _removal(name: str, text: str, starts: list[int], match: re.Match[str]) -> Span:
    """The whole line of a comment that stands alone; else the comment with the blanks before it."""
    line = bisect_right(starts, match.start())
    before = text[starts[line - 1] : match.start()]
    if before.strip():
        return _span(name, starts, match.start() - (len(before) - len(before.rstrip())), match.end())
    end = starts[line] if line < len(starts) else match.end()
    return _span(name, starts, starts[line - 1], end)


def _judge(ignore: Ignore, kept: set[str], report: Collector) -> None:
    """Tell of the codes that the comment names in vain."""
    vain = [code for code in ignore.codes if code not in kept]
    if ignore.codes and not vain:
        return
    unknown = next((code for code in vain if code not in CODES), None)
    close = nearest(unknown, CODES) if unknown else None
    if not ignore.codes:
        message, label = "this comment names no code", "write `ignore[CODE]`"
    elif unknown:
        message, label = f"there is no code `{unknown}`", f"did you mean `{close}`?" if close else "not a code"
    else:
        message = f"there is no {' and no '.join(vain)} here to ignore"
        label = "silences nothing" if not kept else f"silences only {', '.join(c for c in ignore.codes if c in kept)}"
    report.add(UNUSED, message, ignore.span, label=label, fix=None if unknown else _fix(ignore, kept, vain))


def _fix(ignore: Ignore, kept: set[str], vain: list[str]) -> Fix | None:
    if kept and ignore.named:
        rest = ", ".join(code for code in ignore.codes if code in kept)
        return Fix(f"take {' and '.join(vain)} out of it", (Edit(ignore.named, rest),))
    return Fix("remove the comment", (Edit(ignore.removal, ""),)) if ignore.removal else None
