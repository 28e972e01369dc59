"""One step of a run in detail: each attempt with its cause, its verdicts, its price, and where the rest of it is."""

from __future__ import annotations

import shlex

from gumpc.plan import Plan
from runtime.agents.protocol import Usage
from runtime.gates.verdict import Verdict
from runtime.report.columns import Cell, Column, Style, clip, columns, flow, paint
from runtime.report.figures import duration, money, number_of, short_id, tokens
from runtime.report.model import StepRow, gate_mark, rows_of, text_lines, why_failed
from runtime.report.summary import attempt_folder
from runtime.state import Attempt, RunState

ERROR_LINES = 8
"""Lines of each gate's error that are shown; the whole of it is in the artifacts."""

_GATE = (Column(), Column(), Column(align="right"), Column(rank=1, minimum=10))


def detail_text(
    plan: Plan, state: RunState, step: str, *, width: int, color: bool = False, runs: tuple[str, ...] = ()
) -> str:
    """Everything known of the step with this id; raises KeyError when the run has no such step.

    `runs` are the ids of all runs, so that the shortened id of one is that of no other.
    """
    row = next((row for row in rows_of(plan, state) if row.state.id == step), None)
    if row is None:
        raise KeyError(step)
    lines = [*_head(row, width, color), *_origin(state, row, width, runs)]
    for attempt in row.state.attempts:
        lines += ["", *_attempt(state, row, attempt, width, color)]
    if not row.state.attempts:
        lines += _gates(row.state.gates, width, color)
    return "\n".join(lines) + "\n"


def _head(row: StepRow, width: int, color: bool) -> list[str]:
    state = row.state
    word, style = _standing(row)
    usage = f"tokens {tokens(state.usage)}" if state.usage.total else ""
    cost = money(state.cost) if row.has_agent and state.attempts else ""
    time = duration(row.duration_ms) if row.duration_ms else ""
    head = flow([state.id, state.kind, word, cost, time, usage], width=width)
    head[0] = head[0].replace(f" · {word}", f" · {paint(word, style, color)}", 1)
    return head


def _standing(row: StepRow) -> tuple[str, Style]:
    state = row.state
    if state.cached:
        return "skipped", "good"
    attempts = number_of(len(state.attempts), "attempt")
    return {
        "passed": (f"passed after {attempts}" if len(state.attempts) > 1 else "passed", "good"),
        "fatal": (f"failed after {attempts}", "bad"),
        "running": ("running", "busy"),
    }.get(state.phase, ("not reached", "faint"))  # type: ignore[return-value]  # the words are styles


def _origin(run: RunState, row: StepRow, width: int, runs: tuple[str, ...]) -> list[str]:
    state = row.state
    said: list[tuple[str, str]] = []
    if state.cached and state.from_run:
        saved = f", saved {money(state.saved)} and {duration(state.saved_ms)}" if state.saved_ms else ""
        said.append(("result", f"of run {short_id(state.from_run, runs)}{saved}"))
    if state.reason:
        said.append(("ran because", state.reason))
    said += [("warning", warning) for warning in state.warnings]
    if state.key:
        said.append(("key", state.key[:12]))
    if said:
        said.append(("explained by", f"gumpc explain {shlex.quote(state.id)} --run {short_id(run.id, runs)}"))
    return columns(said, (Column(), Column()), width=width)


def _attempt(run: RunState, row: StepRow, attempt: Attempt, width: int, color: bool) -> list[str]:
    word, style = _ended(row, attempt)
    head = flow([f"attempt {attempt.number}", attempt.agent, *_spent(row, attempt)], width=width - 2)
    said: list[tuple[str | Cell, str]] = [(Cell(word, style), "" if word == "passed" else why_failed(attempt))]
    if attempt.overrides:
        said.append(("set by retry", ", ".join(f"{k}: {v}" for k, v in attempt.overrides.items())))
    if attempt.session_id:
        said.append(("session", attempt.session_id))
    table = columns(said, (Column(), Column()), width=width, indent="    ")
    message = _quoted(attempt.message, width, skip=1) if attempt.failure else []
    gates = _gates(attempt.gates, width, color)
    folder = attempt_folder(run, row.state.id, attempt.number)
    painted = [line.replace(word, paint(word, style, color), 1) for line in table[:1]] + table[1:]
    return [*(f"  {line}" for line in head), *painted, *message, *gates, f"    files  {folder}"]


def _ended(row: StepRow, attempt: Attempt) -> tuple[str, Style]:
    if attempt.passed:
        return "passed", "good"
    if attempt.failure or attempt.phase == "judged":
        return "failed", "bad"
    return ("answered" if attempt.phase == "answered" else "running"), "busy"


def _spent(row: StepRow, attempt: Attempt) -> list[str]:
    if not row.has_agent or attempt.phase == "started":
        return []
    usage = tokens(attempt.usage) if attempt.usage != Usage() else ""
    first = f"first write after {duration(attempt.first_write_ms)}" if attempt.first_write_ms is not None else ""
    return [
        attempt.model,
        number_of(attempt.turns, "turn"),
        money(attempt.cost),
        duration(attempt.duration_ms),
        usage,
        first,
    ]


def _gates(gates: tuple[Verdict, ...], width: int, color: bool) -> list[str]:
    lines: list[str] = []
    for gate in gates:
        style: Style = "faint" if gate.skipped else "good" if gate.passed else "bad"
        time = duration(gate.seconds * 1000) if gate.seconds else ""
        row: list[Cell | str] = [Cell(gate_mark(gate), style), gate.name, time, gate.skipped or gate.command]
        lines += columns([row], _GATE, width=width, color=color, indent="    ")
        lines += _quoted(gate.error if not gate.passed else gate.comments, width)
    return lines


def _quoted(text: str, width: int, *, skip: int = 0) -> list[str]:
    lines = text_lines(text)[skip:]
    more = len(lines) - ERROR_LINES
    shown = [clip(f"        {line}", width) for line in lines[:ERROR_LINES]]
    return shown + ([f"        … {number_of(more, 'more line')}"] if more > 0 else [])
