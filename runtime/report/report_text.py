"""A run as a report: what it was, a table with a row per step, what it adds up to."""

from __future__ import annotations

from datetime import datetime, tzinfo

from gumpc.plan import Plan
from runtime.gates.verdict import Verdict
from runtime.report.columns import Cell, Column, Style, columns, flow, paint, paragraph
from runtime.report.figures import duration, lines_changed, money, money_sum, number_of, short_id, tokens
from runtime.report.model import Changes, StepRow, gate_mark, rows_of, totals_of
from runtime.report.naming import shown_id
from runtime.report.step_lines import warning
from runtime.report.summary import limit_text
from runtime.state import RunState

NONE = "–"

_SHAPE = (
    Column(rank=1, minimum=14, cut="middle"),
    Column(rank=2, minimum=8),
    Column(align="right", minimum=1),
    Column(align="right", rank=4, minimum=0),
    Column(align="right", rank=5, minimum=0),
    Column(align="right"),
    Column(align="right"),
    Column(rank=3, minimum=11),
)
_HEADINGS = ("step", "agent", "attempts", "turns", "first diff", "cost", "time", "gates")


def report_text(
    plan: Plan,
    state: RunState,
    *,
    changes: Changes | None,
    width: int,
    color: bool = False,
    zone: tzinfo | None = None,
    runs: tuple[str, ...] = (),
) -> str:
    """The report of a run, finished or not; ends with a line end.

    Args:
        changes: what the run changed, None where that cannot be told.
        zone: the time zone of the run's start; None for the machine's.
        runs: ids of all runs, so that the shortened id is that of this one only.
    """
    head = flow(_head(state, zone, runs), width=width)
    rows = [_row(row, is_live=state.status == "running") for row in rows_of(plan, state)]
    table = columns([_HEADINGS, *rows], _SHAPE, width=width, color=color)
    status = paint(state.status, _style(state.status), color)
    head[0] = head[0].replace(f" · {state.status}", f" · {status}", 1)
    warnings = [
        line for text in _warnings(state, width) for line in paragraph(text, width=width, indent="  ", hang="  ")
    ]
    foot = flow(_foot(plan, state, changes), width=width, indent="  ", hang="")
    return "\n".join([*head, "", *table, "", *warnings, *foot]) + "\n"


def gates_text(gates: tuple[Verdict, ...]) -> str:
    """`test ✗ compile ✓ lint skipped`: what failed comes first, since the end may be cut."""
    ordered = sorted(gates, key=lambda gate: gate.passed)
    return " ".join(f"{gate.name} {gate_mark(gate)}" for gate in ordered)


def _head(state: RunState, zone: tzinfo | None, runs: tuple[str, ...]) -> list[str]:
    started = datetime.fromtimestamp(state.started_ms / 1000).astimezone(zone)
    priced = "all priced" if state.cost is not None else "some calls have no known price"
    return [
        f"run {short_id(state.id, runs)}",
        state.workflow,
        state.status + (f" ({state.paused})" if state.paused else ""),
        f"{started.day} {started:%b %Y %H:%M}",
        duration(state.duration_ms),
        f"{money_sum(state.cost, state.priced_cost)} ({priced})",
        f"saved {money(state.saved)}" if state.saved else "",
        limit_text(state),
    ]


def _row(row: StepRow, *, is_live: bool) -> list[Cell | str]:
    state = row.state
    attempts = str(len(state.attempts)) if state.attempts else NONE
    first = row.first_write_ms
    return [
        shown_id(state.id),
        state.agent or NONE,
        attempts,
        str(row.turns) if row.turns else NONE,
        NONE if first is None else duration(first),
        _cost(row),
        NONE if not row.duration_ms else duration(row.duration_ms),
        _outcome(row, is_live=is_live),
    ]


def _cost(row: StepRow) -> Cell | str:
    if row.state.cached:
        return Cell("cached", "good")
    return money(row.state.cost) if row.has_agent and row.state.attempts else NONE


def _outcome(row: StepRow, *, is_live: bool) -> Cell | str:
    gates = gates_text(row.state.gates)
    match row.state.phase:
        case "fatal":
            last = row.state.last
            failure = last.guard or last.failure if last else ""
            return Cell(" ".join(filter(None, ("failed:", failure, gates))), "bad")
        case "running":
            return Cell(f"{'running' if is_live else 'stopped'} {gates}".strip(), "busy" if is_live else "warn")
        case "waiting":
            return Cell("not reached", "faint")
        case _:
            return gates or NONE


def _foot(plan: Plan, state: RunState, changes: Changes | None) -> list[str]:
    totals = totals_of(plan, state)
    lines = f", {lines_changed(changes.added, changes.removed)}" if changes and changes.files else ""
    change = number_of(changes.files, "file") + lines if changes is not None else ""
    retries = number_of(totals.retries, "retry", "retries") if totals.retries else ""
    escalations = number_of(totals.escalations, "escalation") if totals.escalations else ""
    again = ", ".join(filter(None, (retries, escalations)))
    used = f"tokens {tokens(totals.usage)}" if totals.usage.total else ""
    return [used, change, again, f"guards {totals.guards}"]


def _warnings(state: RunState, width: int) -> list[str]:
    return [warning(step.id, text, width) for step in state.steps.values() for text in step.warnings]


def _style(status: str) -> Style:
    styles: dict[str, Style] = {"passed": "good", "failed": "bad", "paused": "warn", "running": "busy"}
    return styles.get(status, "")
