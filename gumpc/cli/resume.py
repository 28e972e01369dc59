"""`gumpc resume`: goes on with a run that stopped; finished agent calls are not made again."""

from __future__ import annotations

import click

from gumpc.cli.asking import require_project, surroundings
from gumpc.cli.run import go_on


@click.command("resume")
@click.argument("run", default="latest")
@click.option("--json", "as_json", is_flag=True, help="Events as JSON lines on standard output.")
@click.pass_obj
def command(quiet: bool, /, *, run: str, as_json: bool) -> int:
    """Go on with RUN (default: the latest that is not over)."""
    return go_on(run, surroundings(require_project()), quiet=quiet, as_json=as_json)
