"""`gumpc report`: what a run did and cost, from its ledger alone."""

from __future__ import annotations

import json
import sys

import click

from gumpc.cli.console import wants_color
from gumpc.cli.finding import recorded, require_step, run_ids, width
from runtime.report.detail_text import detail_text
from runtime.report.report_json import report_json
from runtime.report.report_text import report_text


@click.command("report")
@click.argument("run", default="latest")
@click.option("--detail", metavar="STEP", help="Every attempt of one step.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, run: str, detail: str | None, as_json: bool) -> int:
    """Show what RUN (default: the latest) did and cost."""
    found = recorded(run)
    runs = run_ids(found.around)
    color = wants_color(sys.stdout, found.around.config)
    if detail is not None:
        require_step(found, detail)
        text = detail_text(found.plan, found.state, detail, width=width(), color=color, runs=runs)
    elif as_json:
        text = json.dumps(report_json(found.plan, found.state, changes=found.changes()), indent=2, ensure_ascii=False)
    else:
        text = report_text(found.plan, found.state, changes=found.changes(), width=width(), color=color, runs=runs)
    click.echo(text.rstrip("\n"))
    return 0
