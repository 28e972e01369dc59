"""A run's report for scripts: every figure that the text shows, unrounded, and those that it leaves out."""

from __future__ import annotations

import dataclasses

from gumpc.plan import Plan
from runtime.report.model import Changes, StepRow, rows_of, totals_of
from runtime.state import Attempt, RunState

VERSION = 1


def report_json(plan: Plan, state: RunState, *, changes: Changes | None) -> dict[str, object]:
    """The report of a run. Costs are null when unknown; times are milliseconds, or since 1970 where so named."""
    totals = totals_of(plan, state)
    return {
        "version": VERSION,
        "run": state.id,
        "workflow": state.workflow,
        "spec": state.spec,
        "branch": state.branch,
        "commit": state.commit,
        "status": state.status,
        "paused": state.paused,
        "message": state.message,
        "limit": state.limit,
        "started_unix_ms": state.started_ms,
        "duration_ms": state.duration_ms,
        "max_budget": state.max_budget,
        "steps": [_step_json(row) for row in rows_of(plan, state)],
        "totals": {
            "steps": totals.steps,
            "over": totals.over,
            "skipped": totals.skipped,
            "retries": totals.retries,
            "escalations": totals.escalations,
            "guards": totals.guards,
            "turns": totals.turns,
            "cost_usd": state.cost,
            "priced_cost_usd": state.priced_cost,
            "saved_usd": state.saved,
            "tokens": dataclasses.asdict(totals.usage),
            "changes": None if changes is None else dataclasses.asdict(changes),
        },
    }


def phase_of(row: StepRow) -> str:
    """One word for where a step stands."""
    if row.state.cached:
        return "cached"
    return {"passed": "passed", "fatal": "failed"}.get(row.state.phase, row.state.phase)


def _step_json(row: StepRow) -> dict[str, object]:
    state = row.state
    return {
        "id": state.id,
        "type": state.kind,
        "status": phase_of(row),
        "agent": state.agent,
        "key": state.key,
        "reason": state.reason,
        "from_run": state.from_run,
        "saved_usd": state.saved,
        "turns": row.turns,
        "first_write_ms": row.first_write_ms,
        "duration_ms": row.duration_ms,
        "cost_usd": state.cost,
        "tokens": dataclasses.asdict(state.usage),
        "gates": [dataclasses.asdict(gate) for gate in state.gates],
        "warnings": list(state.warnings),
        "attempts": [_attempt_json(attempt) for attempt in state.attempts],
    }


def _attempt_json(attempt: Attempt) -> dict[str, object]:
    return {
        "attempt": attempt.number,
        "agent": attempt.agent,
        "model": attempt.model,
        "session_id": attempt.session_id,
        "passed": attempt.passed,
        "failure": attempt.failure,
        "message": attempt.message,
        "guard": attempt.guard,
        "turns": attempt.turns,
        "duration_ms": attempt.duration_ms,
        "cost_usd": attempt.cost,
        "tokens": dataclasses.asdict(attempt.usage),
        "gates": [dataclasses.asdict(gate) for gate in attempt.gates],
        "artifacts": attempt.launched,
    }
