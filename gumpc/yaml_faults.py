"""What a YAML parser complains of, said in words that tell a workflow's author what to change, at the right place.

A YAML parser stops where it can no longer go on, which is often a line or more after the mistake. Its problems are few;
each has an entry in `_SAYINGS` that picks the better place and the help. What has none is said as the parser says it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import yaml

from gumpc.diagnostics import Collector, Note
from gumpc.yaml_places import Places


class _Fault(NamedTuple):
    """Where the parser stopped, and where the construct it was in began."""

    text: str
    at: int
    context: int | None


class _Saying(NamedTuple):
    message: str
    start: int
    end: int
    help: str = ""
    opened: bool = False  # whether a note shows where the construct began


def report_fault(places: Places, error: yaml.MarkedYAMLError, collector: Collector) -> None:
    """Add the one diagnostic for what stopped the YAML parser."""
    mark = error.problem_mark or error.context_mark
    index = min(mark.index, len(places.text)) if mark else 0
    fault = _Fault(places.text, index, error.context_mark.index if error.context_mark else None)
    if _report_tab(places, fault, collector):
        return
    problem = error.problem or "the text ends too early"
    say = next((say for part, say in _SAYINGS if part in problem), None)
    saying = say(fault) if say else _Saying(f"YAML cannot be read here: {problem}", index, index + 1)
    notes: tuple[Note, ...] = ()
    if saying.opened and fault.context is not None:
        notes = (Note("it begins here", places.span(fault.context, fault.context + 1)),)
    end = max(saying.start, min(saying.end, len(places.text)))
    collector.add("G002", saying.message, places.span(saying.start, end), notes=notes, help=saying.help)


def _report_tab(places: Places, fault: _Fault, collector: Collector) -> bool:
    begin = _line_begin(fault.text, fault.at)
    indentation = fault.text[begin : begin + len(_line(fault)) - len(_line(fault).lstrip(" \t"))]
    if "\t" not in indentation:
        return False
    tab = begin + indentation.index("\t")
    collector.add(
        "G003",
        "a tab is used for indentation, where YAML allows spaces only",
        places.span(tab, tab + 1),
        help="replace tabs by spaces",
    )
    return True


def _line_begin(text: str, index: int) -> int:
    return max(text.rfind("\n", 0, index), text.rfind("\r", 0, index)) + 1


def _line_end(text: str, index: int) -> int:
    return min([at for at in (text.find("\n", index), text.find("\r", index)) if at >= 0], default=len(text))


def _line(fault: _Fault) -> str:
    return fault.text[_line_begin(fault.text, fault.at) : _line_end(fault.text, fault.at)]


def _content(fault: _Fault, index: int) -> tuple[int, int]:
    """The bounds of what stands on the line of `index`, from there on and without blanks at its end."""
    end = _line_end(fault.text, index)
    return index, max(index + 1, index + len(fault.text[index:end].rstrip()))


def _say_second_colon(fault: _Fault) -> _Saying:
    begin = _line_begin(fault.text, fault.at)
    before = fault.text[begin : fault.at].lstrip(" -")
    if ":" in before:
        advice = "quote a value that holds `: `, or put a map in braces: `key: {inner: value}`"
        return _Saying("a second `:` on this line; a value may not hold `: `", fault.at, fault.at + 1, advice)
    start = fault.at - len(before)
    advice = "a key below `key: value` stands in the same column; only `key:` alone may have a block below it"
    return _Saying(f"`{before}:` is indented deeper than the line above allows", start, fault.at, advice)


def _say_no_colon(fault: _Fault) -> _Saying:
    start, end = _content(fault, fault.at if fault.context is None else fault.context)
    advice = "write `key: value` (with a space behind the colon), or `- ` before an item of a list"
    return _Saying("this line is neither `key: value` nor an item of a list", start, end, advice)


def _say_bad_character(fault: _Fault) -> _Saying:
    character = fault.text[fault.at : fault.at + 1]
    named = {"`": "a backquote", "\t": "a tab"}.get(character, f"`{character}`")
    advice = "put the value in quotes" if character != "\t" else "use spaces"
    return _Saying(f"a value may not begin with {named}", fault.at, fault.at + 1, advice)


def _say_unclosed_quote(fault: _Fault) -> _Saying:
    start = fault.at if fault.context is None else fault.context
    return _Saying("this quote is never closed", start, start + 1, "close it, or drop the quotes")


def _say_unclosed_bracket(fault: _Fault) -> _Saying:
    start = fault.at if fault.context is None else fault.context
    opening = fault.text[start : start + 1]
    if _line_begin(fault.text, fault.at) == _line_begin(fault.text, start) and fault.at < len(fault.text):
        advice = "items are separated by commas; quote a value that holds `{`, `}`, `[`, `]` or `,`"
        return _Saying(f"this does not fit into the `{opening}…` it stands in", fault.at, fault.at + 1, advice)
    return _Saying(f"this `{opening}` is never closed", start, start + 1)


def _say_escape(fault: _Fault) -> _Saying:
    advice = "use single quotes, which know no escapes, or write the backslash twice"
    if fault.text[fault.at : fault.at + 1] != "\\":
        return _Saying("this escape is cut short or names no character", fault.at, fault.at + 1, advice)
    escape = fault.text[fault.at : fault.at + 2].rstrip()
    return _Saying(f"`{escape}` is not an escape of double quotes", fault.at, fault.at + 2, advice)


def _say_misfit(fault: _Fault) -> _Saying:
    begin = _line_begin(fault.text, fault.at)
    start, end = _content(fault, fault.at)
    before = fault.text[begin : fault.at].strip()
    if before.strip("- "):
        advice = "put quotes around the whole value"
        return _Saying("text follows after the end of a value", start, end, advice)
    advice = "align it with the keys it belongs with"
    return _Saying("the indentation of this line fits no line above it", start, end, advice, opened=True)


def _say_item_missing(fault: _Fault) -> _Saying:
    start, end = _content(fault, fault.at)
    advice = "align it with the keys of the item above, or begin it with `- `"
    return _Saying("this line stands in a list but is no item of it", start, end, advice, opened=True)


def _say_item_here(fault: _Fault) -> _Saying:
    advice = "put the list on the lines below the key, or write `[a, b]`"
    return _Saying("an item of a list may not begin on this line", fault.at, fault.at + 1, advice)


def _say_content(fault: _Fault) -> _Saying:
    character = fault.text[fault.at : fault.at + 1]
    advice = "quote a value that begins with a bracket or a comma" if character else ""
    return _Saying(f"a value is missing before `{character}`", fault.at, fault.at + 1, advice)


def _say_document(fault: _Fault) -> _Saying:
    return _Saying("text stands behind the end of the document", *_content(fault, fault.at))


def _say_block_header(fault: _Fault) -> _Saying:
    advice = "the text begins on the next line; behind `|` or `>` only `+`, `-` and a digit may stand"
    return _Saying("text follows on the line of a block's `|` or `>`", *_content(fault, fault.at), advice)


_SAYINGS: tuple[tuple[str, Callable[[_Fault], _Saying]], ...] = (
    ("mapping values are not allowed", _say_second_colon),
    ("sequence entries are not allowed", _say_item_here),
    ("could not find expected ':'", _say_no_colon),
    ("cannot start any token", _say_bad_character),
    ("unexpected end of stream", _say_unclosed_quote),
    ("unexpected document indicator", _say_unclosed_quote),
    ("expected ',' or", _say_unclosed_bracket),
    ("escape", _say_escape),
    ("did not find expected key", _say_misfit),
    ("expected <block end>", _say_misfit),
    ("expected '-' indicator", _say_item_missing),
    ("node content", _say_content),
    ("document start>", _say_document),
    ("expected comment or line break", _say_block_header),
    ("expected chomping or indentation", _say_block_header),
)
