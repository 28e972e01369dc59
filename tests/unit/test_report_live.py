"""The display of a run that goes on: into a pipe, on a terminal, and when there is nobody left to show it to."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from runtime import events as ev
from runtime.agents.protocol import Failed, Said, ToolUsed, Wrote
from runtime.report.activity import activity_of
from runtime.report.board import HINTS, Board, Running, Waiting, board_lines
from runtime.report.columns import clean, display_width
from runtime.report.live import RunDisplay
from runtime.report.step_lines import ended_line, layout_for
from tests.fakes.replay import play
from tests.fakes.sample_runs import RUN, RUNS, TASKS, TDD, plan_of
from tests.unit.test_report_screens import golden


class Time:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def pause(self, seconds: float) -> None:
        self.now += seconds


def plain(name: str, *, encoding: str = "utf-8") -> str:
    time, raw = Time(), io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="")
    play(RUNS[name](), stream, in_place=False, color=True, pause=time.pause, clock=lambda: time.now)
    stream.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("name", RUNS)
def test_into_a_pipe(name: str) -> None:
    text = plain(name)
    golden(f"live-{name}", text)
    assert all(line.isprintable() for line in text.splitlines())


def test_every_plain_line_names_its_step() -> None:
    lines = plain("escalated").splitlines()[1:]
    assert lines
    assert [line for line in lines if "decompose" not in line and "quality" not in line] == []


def test_a_stream_of_an_old_encoding_is_written_to() -> None:
    text = plain("long_names", encoding="ascii")
    assert "+ decompose/??/red passed" in text


def test_a_closed_pipe_silences_the_display_and_nothing_else() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    time = Time()
    with open(writing, "w", encoding="utf-8") as stream:
        play(RUNS["escalated"](), stream, in_place=False, color=False, pause=time.pause, clock=lambda: time.now)
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    assert time.now > 300


@contextmanager
def terminal() -> Iterator[tuple[io.TextIOWrapper, list[bytes]]]:
    """A pseudo-terminal, with all that is written to it."""
    ours, theirs = pty.openpty()
    seen: list[bytes] = []

    def read() -> None:
        while True:
            try:
                seen.append(os.read(ours, 65536))
            except OSError:
                return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with open(theirs, "w", encoding="utf-8") as stream:
            yield stream, seen
    finally:
        reader.join(timeout=10)
        os.close(ours)
    assert not reader.is_alive()


def test_on_a_terminal_finished_steps_stay_and_the_cursor_comes_back() -> None:
    time = Time()
    with terminal() as (stream, seen):
        play(RUNS["escalated"](), stream, in_place=True, color=True, pause=time.pause, clock=lambda: time.now)
    raw = b"".join(seen).decode()
    text = clean(raw)
    assert "decompose/auth/green" in text
    assert "attempt 3" in text
    assert "\x1b[32m✓" in raw
    assert raw.rfind("\x1b[?25h") > raw.rfind("\x1b[?25l") >= 0


class Stopped(BaseException):
    """What Ctrl-C does, without a signal."""


def test_whatever_happens_the_cursor_comes_back() -> None:
    time = Time()

    def pause(seconds: float) -> None:
        time.pause(seconds)
        if time.now > 30:
            raise Stopped

    with terminal() as (stream, seen), pytest.raises(Stopped):
        play(RUNS["escalated"](), stream, in_place=True, color=False, pause=pause, clock=lambda: time.now)
    raw = b"".join(seen).decode()
    assert raw.rfind("\x1b[?25h") > raw.rfind("\x1b[?25l") >= 0
    assert "\x1b[32m" not in raw


def test_what_is_resumed_says_how_far_it_was() -> None:
    stream = io.StringIO()
    tape = RUNS["interrupted"]()
    tape.add(ev.RunResumed(RUN, "interrupted"))
    with RunDisplay(stream, in_place=False) as display:
        display.on_plan(plan_of(TDD, TASKS))
        display(tape.moments[-1][1], tape.state)  # type: ignore[arg-type]
    head = "run 0193f2b7 · tdd · main@4f2c1e9 · 2 of 6 steps done · budget $8.00 · goes on (was interrupted)\n"
    assert stream.getvalue() == head


def test_a_warning_is_said_once() -> None:
    stream = io.StringIO()
    state = RUNS["running"]().state
    with RunDisplay(stream, in_place=False) as display:
        for _ in range(2):
            display(ev.StepWarned("", "a damaged cache\nentry \x1b[2Jwas dropped"), state)
        display(ev.SessionLost("decompose/auth/green", 2, "s"), state)
    first, second = stream.getvalue().splitlines()
    assert first == "! a damaged cache entry was dropped"
    assert second.startswith("! decompose/auth/green: its session is not known")


RUNNING = Running("decompose/auth/green", "claude-haiku", 3.0, "running pytest", 4, 2, 0.05, 2.0)
BOARD = Board(
    running=(RUNNING,),
    waiting=(Waiting("decompose/cart/green"), Waiting("quality", "compile lint test")),
    cost=0.75,
    priced=0.75,
    live_cost=0.05,
    budget=8.0,
    turns=17,
    live_turns=4,
    skipped=3,
    saved=0.39,
    active_ms=200_000,
    since=3.0,
)


def drawn(board: Board, *, width: int = 120, height: int = 30, now: float = 44.5) -> list[str]:
    return board_lines(board, layout_for(plan_of(TDD, TASKS), width), now=now, height=height, color=False)


def test_the_board() -> None:
    lines = drawn(BOARD)
    assert lines == [
        "  ⠦  decompose/auth/green  claude-haiku   turn 4 · running pytest · 2 writes       $0.05     41s  limit $2.00",
        "  ·  decompose/cart/green",
        "  ·  quality                              compile lint test",
        "",
        f"  $0.80 of $8.00 · 4m01s · 21 turns · 3 skipped (saved $0.39)    {HINTS[0]}",
    ]


def test_the_board_counts_time_by_itself() -> None:
    assert "1m41s" in drawn(BOARD, now=104.5)[0]
    assert drawn(BOARD, now=44.5)[0] != drawn(BOARD, now=44.7)[0]


def test_a_board_without_a_price() -> None:
    assert drawn(replace(BOARD, cost=None, priced=0.0, live_cost=0.0))[-1].startswith("  unpriced of $8.00")
    assert drawn(replace(BOARD, cost=None))[-1].startswith("  ≥ $0.80 of $8.00")


def test_a_step_whose_turn_has_come_is_seen_to_be_checked() -> None:
    lines = drawn(replace(BOARD, running=()))
    assert lines[0].endswith("checking")
    assert lines[1].startswith("  ·  quality")


@pytest.mark.parametrize("height", [4, 6, 8, 12, 40])
@pytest.mark.parametrize("width", [40, 79, 199])
def test_the_board_fits_the_screen(width: int, height: int) -> None:
    many = replace(BOARD, waiting=tuple(Waiting(f"decompose/task-{n}/green") for n in range(30)))
    many = replace(many, running=(replace(RUNNING, retry="test: " + "it failed " * 30),))
    lines = drawn(many, width=width, height=height)
    assert len(lines) <= height
    assert all(display_width(line) <= width for line in lines)
    if height == 40 and width == 199:
        assert len(lines) == 35
    if height == 12:
        assert any("more" in line for line in lines)


@pytest.mark.parametrize(
    ("event", "kind", "words"),
    [
        (Said("hm"), "code", "coding"),
        (Said("hm"), "split", "planning"),
        (ToolUsed("Bash", command="cd x &&\n  pytest -q\x1b[2J"), "code", "running cd x && pytest -q"),
        (ToolUsed("Write", path="src/x.py"), "code", "writing src/x.py"),
        (ToolUsed("Read"), "code", "using Read"),
        (Wrote("src/x.py"), "code", "writing src/x.py"),
        (Failed("rate_limit", "429"), "code", "waiting: rate limit"),
        (Failed("auth", "no", fatal=True), "code", ""),
        (ToolUsed("Bash", command="x" * 100), "code", "running " + "x" * 39 + "…"),
    ],
)
def test_what_an_agent_is_doing(event: object, kind: str, words: str) -> None:
    assert activity_of(event, kind) == words  # type: ignore[arg-type]


def test_showing_a_run_in_a_pipe_loads_no_terminal_library() -> None:
    code = (
        "import sys, runtime.report.live, runtime.report.plan_text, runtime.report.report_text;"
        "sys.exit(any(m.partition('.')[0] == 'rich' for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_gates_of_a_step_without_an_agent_are_shown_even_when_they_must_be_cut() -> None:
    state = RUNS["escalated"]().state
    line = ended_line(layout_for(plan_of(TDD, TASKS), 79), state, state.peek("quality"), files=None, color=False)
    assert "compile lint (skip…" in line
    assert line.endswith("14s")
