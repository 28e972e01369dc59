"""The way from each character of a scalar's value back to its index in the text, for all five YAML styles.

PyYAML gives a scalar's value and where it begins and ends, not where the pieces of a folded or escaped value stand.
A reference inside a block of prompt text must be underlined to the column, so the folding rules of YAML 1.1 are
walked again here, over indices. What a walk yields is a list of `(offset in the value, index in the text)`; from one
entry to the next both advance together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Step = tuple[int, int]

_BREAK = re.compile("\r\n?|[\n\x85\u2028\u2029]")
_WHITE = re.compile("[ \t\r\n\x85\u2028\u2029]+")
_VERBATIM = re.compile("[^ \t\r\n\x85\u2028\u2029'\\\\]+")
_KEPT_BREAKS = "\u2028\u2029"  # the two that YAML 1.1 keeps as they are instead of folding them
_ESCAPE_WIDTHS = {"x": 4, "u": 6, "U": 10}


def walk_flow(text: str, start: int, end: int, quote: str) -> list[Step]:
    """Steps of a plain or quoted scalar whose content, without its quotes, is `text[start:end]`."""
    steps = [(0, start)]
    offset, index = 0, start
    while index < end:
        verbatim = _VERBATIM.match(text, index, end)
        if verbatim:
            offset += verbatim.end() - index
            index = verbatim.end()
        elif white := _WHITE.match(text, index, end):
            offset, index = _fold(text, index, white.end(), offset, steps)
        elif quote == '"' and text[index] == "\\" and text[index + 1] in "\r\n\x85\u2028\u2029":
            white = _WHITE.match(text, index + 1, end)
            offset, index = _fold(text, index + 1, white.end() if white else end, offset, steps, escaped=True)
        else:
            index += _width(text[index : index + 2], quote)
            offset += 1
            steps.append((offset, index))
    return steps


def _width(two: str, quote: str) -> int:
    """How many characters of the text make the one character that begins with `two`."""
    if quote == '"' and two[0] == "\\":
        return _ESCAPE_WIDTHS.get(two[1:], 2)
    return 2 if quote == "'" and two == "''" else 1


def _fold(text: str, start: int, end: int, offset: int, steps: list[Step], *, escaped: bool = False) -> Step:
    """Walk one run of blanks and line breaks; without a break blanks stand for themselves."""
    breaks = [found.start() for found in _BREAK.finditer(text, start, end)]
    if not breaks:
        return offset + end - start, end
    if escaped or (len(breaks) > 1 and text[breaks[0]] not in _KEPT_BREAKS):
        breaks = breaks[1:]
    for index in breaks:
        steps.append((offset, index))
        offset += 1
    steps.append((offset, end))
    return offset, end


def walk_block(text: str, start: int, end: int, value: str, *, folded: bool) -> list[Step]:
    """Steps of a literal or folded block scalar whose `|` or `>` stands at `start`."""
    lines = list(_lines(text, start, end))[1:]
    indent = _indent(text, lines, value)
    steps: list[Step] = []
    offset = 0
    breaks: list[int] = []  # the break after the last line of content, then one for each blank line
    after_blank = after_content = False
    for first, last in lines:
        body = first + indent
        if text[first : min(body, last)].strip(" "):
            break
        if last <= body:
            breaks.append(last)
            continue
        blank = text[body] in " \t"
        if folded and after_content and not (blank or after_blank or text[breaks[0]] in _KEPT_BREAKS):
            breaks = breaks[1:] or breaks
        steps += [(offset + n, index) for n, index in enumerate(breaks)]
        offset += len(breaks)
        steps.append((offset, body))
        offset += last - body
        breaks, after_blank, after_content = [last], blank, True
    steps += [(offset + n, index) for n, index in enumerate(breaks)]
    return [step for step in steps if step[0] < len(value)] or [(0, start)]


def _lines(text: str, index: int, end: int) -> Iterator[tuple[int, int]]:
    """The `[first, last)` of each line from `index` on, without its break."""
    for found in _BREAK.finditer(text, index):
        if index > end:
            return
        yield index, found.start()
        index = found.end()
    yield index, len(text)


def _indent(text: str, lines: list[tuple[int, int]], value: str) -> int:
    """How many spaces the block's lines lose: what the first line of content has more in the text than in the value."""
    content = value.lstrip("\n\u2028\u2029")
    number = len(value) - len(content)
    if not content or number >= len(lines):
        return len(text)
    first, last = lines[number]
    line = text[first:last]
    return len(line) - len(line.lstrip(" ")) - (len(content) - len(content.lstrip(" ")))
