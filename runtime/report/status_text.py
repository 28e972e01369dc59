"""The runs of a repository, one line each, the newest first; then those that wait for somebody, and for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from runtime.report.columns import Cell, Column, Style, columns
from runtime.report.figures import money_sum, short_id
from runtime.runs import RunSummary
from runtime.state import RunState

_SHAPE = (
    Column(),
    Column(rank=1, minimum=8),
    Column(rank=2, minimum=11),
    Column(),
    Column(align="right"),
    Column(align="right", rank=3, minimum=0),
    Column(rank=4, minimum=0, cut="middle"),
)
_WAITING = (Column(), Column(rank=1, minimum=10), Column())
_STYLES: dict[str, Style] = {"passed": "good", "failed": "bad", "running": "busy"}


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run. `state` is None where its ledger cannot be read; `is_alive` while a process works on it."""

    summary: RunSummary
    state: RunState | None = None
    is_alive: bool = False

    @property
    def status(self) -> str:
        """Where the run stands, in a word or two."""
        if self.is_alive:
            return "running"
        paused = self.state.paused if self.state else ""
        if paused:
            return "interrupted" if paused == "interrupted" else f"paused ({paused})"
        status = self.state.status if self.state else self.summary.status
        # A run without an end whose process is gone was killed; its ledger is sound, so it can go on.
        return "interrupted" if status in ("", "running") and self.state else status or "unreadable"

    @property
    def waits(self) -> bool:
        """True when it goes on once somebody resumes it."""
        return self.status.startswith(("paused", "interrupted"))


def status_text(
    runs: Sequence[RunLine], *, width: int, color: bool = False, zone: tzinfo | None = None, limit: int = 20
) -> str:
    """The newest `limit` runs, then all that wait; ends with a line end.

    Args:
        runs: oldest first, as `list_runs` gives them.
        zone: the time zone of what is shown; None for the machine's.
    """
    if not runs:
        return "no runs yet (`gumpc run WORKFLOW --spec FILE` starts one)\n"
    ids = tuple(run.summary.id for run in runs)
    newest = list(reversed(runs))
    lines = columns([_row(run, ids, zone) for run in newest[:limit]], _SHAPE, width=width, color=color)
    if len(runs) > limit:
        lines.append(f"  … and {len(runs) - limit} older")
    waiting = [run for run in newest if run.waits]
    if waiting:
        word = "run waits" if len(waiting) == 1 else "runs wait"
        rows = [_waiting(run, ids) for run in waiting[:limit]]
        lines += ["", f"{len(waiting)} {word}:", *columns(rows, _WAITING, width=width, color=color)]
    return "\n".join(lines) + "\n"


def _row(run: RunLine, ids: tuple[str, ...], zone: tzinfo | None) -> list[Cell | str]:
    state, status = run.state, run.status
    style = _STYLES.get(status, "warn" if run.waits else "")
    cost = money_sum(state.cost, state.priced_cost) if state else ""
    steps = [s for s in state.steps.values() if s.id and s.kind not in ("call", "group", "merge")] if state else []
    over = f"{sum(s.is_over for s in steps)} steps done" if state else ""
    started = _moment(run.summary.started, zone)
    return [
        short_id(run.summary.id, ids),
        run.summary.workflow,
        Cell(status, style),
        started,
        cost,
        over,
        run.summary.spec,
    ]


def _waiting(run: RunLine, ids: tuple[str, ...]) -> list[Cell | str]:
    short = short_id(run.summary.id, ids)
    message = run.state.message if run.state else ""
    return [short, message or "its process is gone", f"gumpc resume {short}"]


def _moment(text: str, zone: tzinfo | None) -> str:
    try:
        moment = datetime.fromisoformat(text).astimezone(zone)
    except ValueError:
        return text
    return f"{moment.day:>2} {moment:%b %Y %H:%M}"
