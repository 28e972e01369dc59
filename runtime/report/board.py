"""The moving part of a run's display: what runs now, what waits, what it has cost, as lines for a screen of some size.

A board is immutable and made by the thread that runs the workflow; the one that redraws the screen only ever reads it,
so a slow step or a busy agent can never show a half-changed state. Only the time and the spinner move by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.report.columns import Cell, clip, display_width, paint, paragraph
from runtime.report.figures import duration, money, money_sum, number_of
from runtime.report.step_lines import INDENT, Layout, step_line

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
FRAMES_A_SECOND = 8
RETRY_LINES = 2
HINTS = ("ctrl-c stops, and resumes with `gumpc resume`", "ctrl-c stops, `gumpc resume` resumes", "ctrl-c stops")


@dataclass(frozen=True, slots=True)
class Running:
    """A step that is being worked on. `since` is on the display's clock, `cost` what the step has spent so far."""

    id: str
    agent: str
    since: float
    activity: str
    turn: int = 0
    writes: int = 0
    cost: float | None = None
    limit: float | None = None
    retry: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A step whose turn has not come; `gates` are the names of what will judge it, for a step without an agent."""

    id: str
    gates: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """All of it. `cost` is None once a part has no price; `active_ms` is the run's time at the moment `since`.

    `live_cost` and `live_turns` are of the calls going on, which the other figures do not hold yet.
    """

    running: tuple[Running, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    cost: float | None = 0.0
    priced: float = 0.0
    live_cost: float = 0.0
    budget: float | None = None
    turns: int = 0
    live_turns: int = 0
    skipped: int = 0
    saved: float = 0.0
    active_ms: int = 0
    since: float = 0.0


def board_lines(board: Board, layout: Layout, *, now: float, height: int, color: bool) -> list[str]:
    """The lines of the board, at most `height` of them: what runs comes first, what waits gives way."""
    frame = SPINNER[int(now * FRAMES_A_SECOND) % len(SPINNER)]
    busy = [line for step in board.running for line in _running(step, layout, now, frame, color)]
    waiting = board.waiting
    if not busy and waiting:
        busy = [_checking(waiting[0], layout, frame, color)]
        waiting = waiting[1:]
    footer = ["", _footer(board, now, layout.width)]
    room = height - len(busy) - len(footer)
    return [*busy[: max(0, height - len(footer))], *_waiting(waiting, layout, max(0, room), color), *footer]


def _running(step: Running, layout: Layout, now: float, frame: str, color: bool) -> list[str]:
    turn = f"turn {step.turn}" if step.turn else ""
    writes = number_of(step.writes, "write") if step.writes else ""
    doing = " · ".join(filter(None, (turn, step.activity, writes)))
    line = step_line(
        layout,
        Cell(frame, "busy"),
        step.id,
        step.agent,
        doing,
        cost=money(step.cost) if step.cost else "",
        time=duration(int(now - step.since) * 1000),
        note=f"limit {money(step.limit)}" if step.limit is not None else "",
        color=color,
    )
    retry = _retry_lines(f"✗ {step.retry}", layout.width) if step.retry else []
    return [line, *(paint(part, "bad", color) for part in retry)]


def _retry_lines(text: str, width: int) -> list[str]:
    """The reason and, at the end, what follows: both are kept, and the middle gives way."""
    lines: list[str] = []
    for room in range(RETRY_LINES * width, width // 2, -4):
        lines = paragraph(clip(text, room, cut="middle"), width=width, indent=INDENT * 2, hang=INDENT)
        if len(lines) <= RETRY_LINES:
            break
    return lines[:RETRY_LINES]


def _checking(step: Waiting, layout: Layout, frame: str, color: bool) -> str:
    """The step whose turn has come, and of which nothing was heard: its key is made, or its gates run."""
    return step_line(layout, Cell(frame, "busy"), step.id, "", f"checking {step.gates}".strip(), color=color)


def _waiting(steps: tuple[Waiting, ...], layout: Layout, room: int, color: bool) -> list[str]:
    shown = steps if len(steps) <= room else steps[: max(0, room - 1)]
    lines = [step_line(layout, Cell("·", "faint"), s.id, "", Cell(s.gates, "faint"), color=color) for s in shown]
    if len(shown) < len(steps) and room:
        lines.append(f"{INDENT}· and {len(steps) - len(shown)} more")
    return lines


def _footer(board: Board, now: float, width: int) -> str:
    budget = f" of {money(board.budget)}" if board.budget is not None else ""
    whole = None if board.cost is None else board.cost + board.live_cost
    spent = money_sum(whole, board.priced + board.live_cost) + budget
    time = duration((board.active_ms + int((now - board.since) * 1000)) // 1000 * 1000)
    made = board.turns + board.live_turns
    turns = number_of(made, "turn") if made else ""
    saved = f" (saved {money(board.saved)})" if board.saved else ""
    skipped = f"{board.skipped} skipped{saved}" if board.skipped else ""
    short = INDENT + " · ".join(filter(None, (spent, time, turns)))
    for hint in HINTS:
        for figures in (f"{short} · {skipped}" if skipped else short, short):
            if display_width(figures) + 4 + len(hint) <= width:
                return f"{figures}    {hint}"
    return clip(short, width)
