"""Two spellings that are published for workflows but are not YAML, read as they were meant.

`session: from: NAME` (in edition 3 `reuse: NAME`) on one line, and inputs indented deeper than the `validate:` or
`workflow:` they belong to. A repair is tried only where the YAML parser stopped, never by searching the text: a prompt
may well quote such lines.
"""

from __future__ import annotations

import re
from itertools import groupby

import yaml

from gumpc.diagnostics import Collector, Edit, Fix
from gumpc.yaml_places import Places, Repair

_SESSION = re.compile(r"[ ]*(?:-[ ]+)*session:[ ]+((?:from|reuse):[ ]*[^\s{}\[\],#\"']+)[ ]*(?:#.*)?$")
_CALLER = re.compile(r"[ ]*(?:-[ ]+)*(validate|workflow):[ ]+[^\s|>&*#]")
_INPUT = re.compile(r"[ ]*[A-Za-z0-9_-]+:(?:[ ]|$)")


def find_repairs(places: Places, error: yaml.MarkedYAMLError) -> tuple[Repair, ...]:
    """The edits that make one published spelling readable, in original indices; none when it is another fault."""
    if error.problem_mark is None or "mapping values are not allowed" not in (error.problem or ""):
        return ()
    index = places.origin(error.problem_mark.index)
    text = places.original
    begin = text.rfind("\n", 0, index) + 1
    session = _SESSION.match(_line(text, begin))
    if session:
        start, end = (begin + session.start(1), begin + session.end(1))
        return (Repair(start, start, "{"), Repair(end, end, "}"))
    return _dedent(text, begin)


def _line(text: str, begin: int) -> str:
    end = text.find("\n", begin)
    return text[begin : end if end >= 0 else len(text)].rstrip("\r")


def _dedent(text: str, begin: int) -> tuple[Repair, ...]:
    """Move the block that begins at `begin` to the column of the `validate` or `workflow` on the line above."""
    above = text[:begin].rstrip()
    caller = _CALLER.match(above[above.rfind("\n") + 1 :])
    indent = _indent(_line(text, begin))
    if caller is None or indent <= caller.start(1) or not _INPUT.match(_line(text, begin)):
        return ()
    repairs = []
    while begin < len(text):
        line = _line(text, begin)
        if line.strip() and _indent(line) < indent:
            break
        if line.strip():
            repairs.append(Repair(begin + caller.start(1), begin + indent, ""))
        end = text.find("\n", begin)
        begin = end + 1 if end >= 0 else len(text)
    return tuple(repairs)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def report_repairs(places: Places, collector: Collector) -> None:
    """One warning with its fix for each repaired place; edits on lines that follow each other are one place."""
    for inserts, group in groupby(places.repairs, key=lambda repair: bool(repair.text)):
        repairs = list(group)
        while repairs:
            count = 2 if inserts else _run(places, repairs)
            _report(places, repairs[:count], collector)
            repairs = repairs[count:]


def _run(places: Places, repairs: list[Repair]) -> int:
    """How many of the deletions belong together: those with nothing but whole lines between them."""
    for number in range(1, len(repairs)):
        between = places.original[repairs[number - 1].end : repairs[number].start].strip("\r\n ")
        if "\n" in between:
            return number
    return len(repairs)


def _report(places: Places, repairs: list[Repair], collector: Collector) -> None:
    edits = tuple(Edit(places.original_span(start, end), text) for start, end, text in repairs)
    first, last = repairs[0], repairs[-1]
    if first.text:
        name = places.original[first.start : last.end]
        collector.add(
            "G010",
            f"`session: {name}` on one line is not YAML; it is read as `session: {{{name}}}`",
            places.original_span(first.start, last.end),
            fix=Fix("put braces around it", edits),
        )
        return
    key = places.original[first.end :].split(":", 1)[0]
    collector.add(
        "G010",
        f"`{key}` is indented deeper than the call it is an input of, which is not YAML",
        places.original_span(first.end, first.end + len(key)),
        label="read as if it stood in the column of the call",
        fix=Fix("align the inputs with the call", edits),
    )
