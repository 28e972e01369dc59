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
from gumpc.yaml_reader import MAX_CHARACTERS

UNUSED = "G011"
_COMMENT = re.compile(r"(?<!\S)#[ \t]*gumpc: ignore(?![\w-])(?:\[(?P<codes>[^\]\r\n]*)\])?(?P<why>[^\r\n]*)")
_REST_OF_LINE = re.compile(r"[^\r\n]*")
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


def silence(
    diagnostics: Iterable[Diagnostic], texts: Mapping[str, str], *, judged: str | None, in_repository: bool
) -> tuple[tuple[Diagnostic, ...], tuple[Diagnostic, ...]]:
    """What is still to be told, in order, and what the comments of `texts` (by file name) silenced.

    Comments of the file `judged` that silence nothing are told too. Codes that only a repository can bring about are
    not judged without one.
    """
    ignores = {name: tuple(find_ignores(name, text)) for name, text in texts.items()}
    reaching = _by_line(ignores.values())
    told: list[Diagnostic] = []
    silenced: list[Diagnostic] = []
    used: set[tuple[Ignore, str]] = set()
    for diagnostic in diagnostics:
        near = reaching.get((diagnostic.span.file, diagnostic.span.line), ())
        hits = [ignore for group in near for ignore in group if diagnostic.code in ignore.codes]
        used.update((ignore, diagnostic.code) for ignore in hits)
        (silenced if hits else told).append(diagnostic)
    report = Collector(told)
    for ignore in ignores.get(judged, ()) if judged is not None else ():
        excused = {code for code in ignore.codes if not in_repository and code.startswith(_OF_A_REPOSITORY)}
        _judge(ignore, {code for code in ignore.codes if (ignore, code) in used} | excused, report)
    return report.sorted(), tuple(silenced)


def _by_line(ignores: Iterable[tuple[Ignore, ...]]) -> dict[tuple[str, int], list[list[Ignore]]]:
    """The comments that reach each line; those of one target are one list, so that a large file costs little."""
    groups: dict[tuple[str, int, int], list[Ignore]] = {}
    for ignore in (ignore for of_file in ignores for ignore in of_file):
        groups.setdefault((ignore.span.file, ignore.first, ignore.last), []).append(ignore)
    reaching: dict[tuple[str, int], list[list[Ignore]]] = {}
    for (file, first, last), group in groups.items():
        for line in range(first, last + 1):
            reaching.setdefault((file, line), []).append(group)
    return reaching


def find_ignores(name: str, text: str) -> Iterator[Ignore]:
    """The comments of a YAML text, as far as it can be scanned; none of a text that is too large to be read."""
    if len(text) > MAX_CHARACTERS:
        return
    scan = _scan(text)
    starts = line_starts(text)
    begins = [scalar.start for scalar in scan.scalars]
    ends = {_line(starts, scalar.start): _line(starts, scalar.end - 1) for scalar in scan.scalars}
    below = _content_below(text, starts)
    for match in _COMMENT.finditer(text, 0, scan.end):
        near = bisect_right(begins, match.start()) - 1
        if near >= 0 and scan.scalars[near].hidden <= match.start() < scan.scalars[near].end:
            continue
        line = _line(starts, match.start())
        before = text[starts[line - 1] : match.start()].lstrip()
        first = line if before and not before.startswith("#") else below[line]
        yield Ignore(
            _span(name, starts, match.start(), match.end()),
            tuple(dict.fromkeys(code for part in (match["codes"] or "").split(",") if (code := part.strip()))),
            first,
            max(first, ends.get(first, first)),
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
                header = _REST_OF_LINE.match(text, start) if token.style in ("|", ">") else None
                scalars.append(_Text(start, header.end() if header else start, end))
    except (yaml.YAMLError, ValueError, OverflowError):  # the last two: an escape of no character, a huge version
        return _Scan(scalars, scalars[-1].end if scalars else 0)
    return _Scan(scalars, len(text))


def _content_below(text: str, starts: list[int]) -> list[int]:
    """For each number of a line, that of the next line that holds more than a comment; the last one where none does."""
    below = [len(starts)] * (len(starts) + 1)
    for number in range(len(starts) - 1, -1, -1):
        end = starts[number + 1] if number + 1 < len(starts) else len(text)
        content = text[starts[number] : end].strip()
        below[number] = number + 1 if content and not content.startswith("#") else below[number + 1]
    return below


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
