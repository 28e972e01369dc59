"""`gumpc status`: the runs of this repository, and what waits."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from gumpc.cli.asking import require_project, surroundings
from gumpc.cli.console import wants_color
from gumpc.cli.finding import width
from runtime.journal import load
from runtime.ledger import LedgerDamaged
from runtime.report.status_text import RunLine, status_text
from runtime.runs import RunSummary, find_run, list_runs


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--last", type=click.IntRange(min=1), default=20, help="At most this many runs.")
def command(*, as_json: bool, last: int) -> int:
    """List the latest runs."""
    root = surroundings(require_project()).repository.root
    lines = [_line(root, summary) for summary in list_runs(root)]
    if as_json:
        rows = [_as_json(line) for line in lines[-last:]]
        click.echo(json.dumps({"version": 1, "runs": rows}, indent=2, ensure_ascii=False))
    else:
        click.echo(status_text(lines, width=width(), color=wants_color(sys.stdout), limit=last).rstrip("\n"))
    return 0


def _line(root: Path, summary: RunSummary) -> RunLine:
    run = find_run(root, summary.id)
    try:
        state = load(run.manifest)
    except (OSError, LedgerDamaged):
        state = None
    return RunLine(summary, state, run.writer() is not None)


def _as_json(line: RunLine) -> dict[str, object]:
    summary, state = line.summary, line.state
    return {
        "run": summary.id,
        "workflow": summary.workflow,
        "spec": summary.spec,
        "started": summary.started,
        "status": line.status,
        "waits": line.waits,
        "cost_usd": state.cost if state else None,
    }
