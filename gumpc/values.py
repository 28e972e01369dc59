"""Values as people read them in prompts and messages: long texts cut in the middle, durations as `1m30s`."""

from __future__ import annotations


def cut_middle(text: str, limit: int, *, head: float = 0.5) -> str:
    """`text` in at most `limit` characters: its first and last lines, with a line between them that says what was cut.

    `head` is the share of the room that goes to the beginning. A line that is longer than the room is cut itself. A
    limit too small for the remark gives the text's end alone.
    """
    if len(text) <= limit:
        return text
    # The longest remark counts all characters; the two are the line ends around it.
    room = limit - len(_remark("x" * len(text))) - 2
    if room <= 0:
        return text[len(text) - limit :] if limit > 0 else ""
    first = _whole_lines(text[: int(room * head)], text[int(room * head)])
    rest = text[len(text) - (room - len(first)) :]
    before = text[len(text) - len(rest) - 1]
    last = _whole_lines(rest[::-1], before)[::-1]
    cut = text[len(first) : len(text) - len(last)]
    return "\n".join(part for part in (first.rstrip("\n"), _remark(cut), last.lstrip("\n")) if part)


def _whole_lines(part: str, following: str) -> str:
    """`part` without its unfinished last line, unless that is all there is."""
    if following == "\n" or "\n" not in part:
        return part
    return part[: part.rindex("\n") + 1]


def _remark(cut: str) -> str:
    lines = cut.strip("\n").count("\n") + 1
    return f"[… {lines:,} lines cut …]" if lines > 1 else f"[… {len(cut):,} characters cut …]"


def duration_text(seconds: float) -> str:
    """Seconds as the language writes them: `90s` is `1m30s`, `600` is `10m`, and less than a second is `0.25s`."""
    if seconds < 59.5:
        return f"{seconds:.3g}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return "".join(f"{count}{unit}" for count, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if count)


def first_line(text: str) -> str:
    """The first line that says something in words, as some tools draw a rule first; empty for an empty text."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if any(map(str.isalnum, line))), next(iter(lines), ""))
