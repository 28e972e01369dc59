"""`gumpc status`: the runs of this repository, and what waits."""

from __future__ import annotations

import json

import click
from runtime.report.status_text import RunLine, status_text

from gumpc.cli.asking import require_project, surroundings
from gumpc.cli.finding import width
from runtime.journal import load
from runtime.runs import find_run, list_runs


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--last", type=click.IntRange(min=1), default=20, help="At most this many runs.")
def command(*, as_json: bool, last: int) -> int:
    """List the latest runs."""
    root = surroundings(require_project()).repository.root
    lines = []
    for summary in list_runs(root)[-last:]:
        run = find_run(root, summary.id)
        is_live = run.writer() is not None
        lines.append(RunLine.of(load(run.manifest), is_live=is_live))
    if as_json:
        click.echo(json.dumps({"version": 1, "runs": [line.as_json() for line in lines]}, indent=2, ensure_ascii=False))
    else:
        click.echo(status_text(lines, width=width()).rstrip("\n"))
    return 0
