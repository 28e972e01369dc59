"""The display of a run while it goes on: in place on a terminal, one plain line per thing elsewhere.

It listens to the journal and to the agents' events and never acts: a stream that cannot be written to any more (a
closed pipe) silences the display and leaves the run alone. On a terminal, finished steps scroll up as fixed lines
above a board that a background thread redraws; leaving the context gives the terminal back whatever happened.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from gumpc import ir
from gumpc.plan import Plan, PlanNode
from runtime import events as ev
from runtime.agents.protocol import AgentEvent, Wrote
from runtime.guards import Guards
from runtime.report.activity import activity_of
from runtime.report.board import FRAMES_A_SECOND, Board, Running, Waiting, board_lines
from runtime.report.columns import flow, for_encoding, paint, paragraph
from runtime.report.naming import gate_names, is_shown, step_type
from runtime.report.step_lines import (
    ended_line,
    ended_words,
    header_words,
    layout_for,
    retry_words,
    started_words,
    warning,
)
from runtime.state import RunState, StepState

if TYPE_CHECKING:
    from rich.live import Live

CountFiles = Callable[[str, str], int]
"""How many files differ between two trees."""


@dataclass(slots=True)
class _Call:
    """What is known of the work on a step beyond the journal; `since` is when it began in this process."""

    since: float
    activity: str
    turn: int = 0
    writes: int = 0
    cost: float | None = None
    retry: str = ""


class RunDisplay:
    """Shows one run. Use it as a context manager, and as the journal's listener.

    Args:
        stream: where to; standard error, as a rule.
        in_place: True for a terminal on which lines can be redrawn.
        color: True to colour states; on a terminal only.
        runs: ids of all runs, so that a shortened id is that of one run only.
        count_files: tells the files that a step changed; without it they are not shown.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        in_place: bool,
        color: bool = False,
        runs: tuple[str, ...] = (),
        count_files: CountFiles | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._in_place = in_place
        self._color = color and in_place
        self._runs = runs
        self._count_files = count_files
        self._clock = clock
        self._plan: Plan | None = None
        self._calls: dict[str, _Call] = {}
        self._skipped = ""
        self._warned: set[str] = set()
        self._board = Board(since=clock())
        self._state = RunState()
        self._live: Live | None = None
        self._is_silent = False

    def __enter__(self) -> RunDisplay:
        """Begin; on a terminal this takes the lines below the cursor."""
        if self._in_place:
            self._live = _live(self._stream, self._color, self._lines)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the terminal back; what stands above stays."""
        try:
            self._tell_skipped(self._state)
        finally:
            if self._live:
                self._say("")
                live, self._live = self._live, None
                live.stop()

    def on_plan(self, plan: Plan) -> None:
        """The plan, at the start and again when tasks are known."""
        self._plan = plan
        self._redraw(self._state)

    def __call__(self, event: ev.Event, state: RunState) -> None:
        """Take one event in; the state has it already."""
        self._state = state
        self._tell_skipped(state)
        self._take(event, state)
        self._redraw(state)

    def observe(self, node: PlanNode, event: AgentEvent, guards: Guards) -> None:
        """Take one event of an agent's stream in; the guards have it already."""
        call = self._calls.get(node.id)
        if call is None:
            return
        call.turn, call.cost = guards.turns, guards.cost
        call.writes += isinstance(event, Wrote)
        call.activity = activity_of(event, step_type(node)) or call.activity
        self._redraw_running()

    def _take(self, event: ev.Event, state: RunState) -> None:
        match event:
            case ev.RunStarted():
                self._say(" · ".join(filter(None, header_words(state, self._plan, self._runs))), wraps=True)
                self._say("")
            case ev.RunResumed(previous_status=before):
                words = header_words(state, self._plan, self._runs)
                self._say(" · ".join(filter(None, [*words, f"goes on (was {before})"])), wraps=True)
                self._say("")
            case ev.StepSkipped(step=step):
                # The tasks of a skipped split come with the next event, and its line tells how many they are.
                self._skipped = step
            case ev.StepStarted():
                self._started(event, state.step(event.step))
            case ev.StepCompleted(step=step):
                self._calls.pop(step, None)
                # The board is drawn again below the fixed line: it must not list the step any more by then.
                self._redraw(state)
                self._tell_end(state, state.step(step))
            case _:
                self._took_note(event)
                self._remark(event, state)

    def _started(self, event: ev.StepStarted, step: StepState) -> None:
        call = self._calls.setdefault(event.step, _Call(self._clock(), ""))
        call.turn, call.cost, call.activity = 0, None, "starting" if event.agent else "judging"
        if len(step.attempts) < 2:
            self._say_plainly(started_words(step))
            return
        call.retry = retry_words(step, event.session_mode)
        self._say_plainly(f"✗ {event.step} {call.retry}")

    def _took_note(self, event: ev.Event) -> None:
        """Keep what the board shows of a step's progress."""
        if isinstance(event, ev.GateStarted) and event.attempt == 0:
            self._calls.setdefault(event.step, _Call(self._clock(), ""))
            self._say_plainly(f"▸ {event.step} · stored result, judged by {' '.join(event.checks)}")
        call = self._calls.get(getattr(event, "step", ""))
        if call is None:
            return
        match event:
            case ev.GateStarted(checks=checks):
                call.activity = f"judging {' '.join(checks)}".strip()
            case ev.AgentCompleted() | ev.AgentKilled():
                call.activity, call.cost, call.turn = "", None, 0
            case _:
                pass

    def _remark(self, event: ev.Event, state: RunState) -> None:
        """Say what a person should know and no step's line tells."""
        match event:
            case ev.StepWarned(step=step, message=message):
                self._warn(step, message)
            case ev.BlastRadiusWarning(step=step, violators=violators):
                self._warn(step, f"changed files outside its task: {', '.join(violators)}")
            case ev.SessionLost(step=step):
                self._warn(step, "its session is not known to the agent's CLI any more; a new one begins")
            case ev.GuardTriggered(step=step, guard=guard, reason=reason):
                self._warn(step, f"guard {guard}: {reason}")
            case ev.GatePassed(step=step, gates=gates) | ev.GateFailed(step=step, gates=gates):
                for gate in gates:
                    if gate.skipped:
                        self._warn(step, f"gate {gate.name} skipped: {gate.skipped}")
            case ev.BudgetExceeded(step=step, scope=scope):
                self._warn(step, f"the run's {scope} is reached")
            case ev.LedgerRepaired(aside=aside):
                self._warn("", f"the ledger's last record was torn; it is set aside in {aside}")
            case _:
                pass

    def _tell_skipped(self, state: RunState) -> None:
        step, self._skipped = self._skipped, ""
        if step:
            self._tell_end(state, state.peek(step))

    def _tell_end(self, state: RunState, step: StepState) -> None:
        node = self._plan.by_id.get(step.id) if self._plan else None
        if node is not None and not is_shown(node):
            return
        files = None
        if self._count_files and step.kind == "code" and step.tree and step.tree_in:
            files = self._count_files(step.tree_in, step.tree)
        if self._live:
            layout = layout_for(self._plan, self._width)
            self._say(ended_line(layout, state, step, files=files, color=self._color))
        else:
            self._say(ended_words(state, step, files=files, runs=self._runs))

    def _warn(self, step: str, message: str) -> None:
        """Say it once: a gate that cannot run cannot run in any attempt."""
        text = warning(step, message, self._width if self._live else None)
        if text in self._warned:
            return
        self._warned.add(text)
        lines = paragraph(text, width=self._width, indent="  ", hang="  ") if self._live else [text]
        for line in lines:
            self._say(paint(line, "warn", self._color))

    def _say_plainly(self, line: str) -> None:
        """Say what a terminal's board shows anyway."""
        if not self._live:
            self._say(line)

    def _say(self, line: str, *, wraps: bool = False) -> None:
        if self._live:
            from rich.text import Text

            for part in flow(line.split(" · "), width=self._width) if wraps else [line]:
                self._live.console.print(Text.from_ansi(part, no_wrap=True, overflow="crop"))
        elif line and not self._is_silent:
            self._write(for_encoding(line, self._stream.encoding))

    def _write(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self._is_silent = True

    @property
    def _width(self) -> int:
        """One less than the screen has, since some terminals wrap a line that ends in their last column."""
        return self._live.console.width - 1 if self._live else 80

    def _redraw(self, state: RunState) -> None:
        """Make the board anew from the state; the thread that paints it takes it from there."""
        if not self._in_place or self._plan is None:
            return
        nodes = [node for node in self._plan.nodes if is_shown(node) and not state.peek(node.id).is_over]
        waiting = [node for node in nodes if state.peek(node.id).phase == "waiting"]
        steps = state.steps.values()
        self._board = Board(
            waiting=tuple(Waiting(n.id, "" if n.kind == "agent" else " ".join(gate_names(n))) for n in waiting),
            cost=state.cost,
            priced=state.priced_cost,
            budget=state.max_budget,
            turns=sum(attempt.turns for step in steps for attempt in step.attempts),
            skipped=sum(step.cached for step in steps),
            saved=state.saved,
            active_ms=state.duration_ms,
            since=self._clock(),
        )
        self._redraw_running()

    def _redraw_running(self) -> None:
        self._board = dataclasses.replace(
            self._board,
            running=tuple(self._running(step, call) for step, call in self._calls.items()),
            live_cost=sum(call.cost or 0.0 for call in self._calls.values()),
            live_turns=sum(call.turn for call in self._calls.values()),
        )

    def _running(self, id: str, call: _Call) -> Running:
        step = self._state.peek(id)
        node = self._plan.by_id.get(id) if self._plan else None
        limit = node.step.guard.max_budget if node and isinstance(node.step, ir.AgentStep) else None
        spent = sum(attempt.cost or 0.0 for attempt in step.attempts) + (step.killed_cost or 0.0) + (call.cost or 0.0)
        agent = step.last.agent if step.last else step.agent
        return Running(id, agent, call.since, call.activity, call.turn, call.writes, spent, limit, call.retry)

    def _lines(self, height: int) -> Iterable[str]:
        """The board as it stands; called by the thread that redraws."""
        layout = layout_for(self._plan, self._width)
        return board_lines(self._board, layout, now=self._clock(), height=height, color=self._color)


def _live(stream: TextIO, color: bool, lines: Callable[[int], Iterable[str]]) -> Live:
    """A region of the terminal that is redrawn from `lines(height)` several times a second."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    console = Console(file=stream, force_terminal=True, no_color=not color, highlight=False, markup=False, emoji=False)

    def render() -> Group:
        shown = lines(max(4, console.height - 1))
        return Group(*(Text.from_ansi(line, no_wrap=True, overflow="crop") for line in shown))

    return Live(
        get_renderable=render,
        console=console,
        refresh_per_second=FRAMES_A_SECOND,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=True,
        vertical_overflow="crop",
    )
