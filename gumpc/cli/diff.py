"""`gumpc diff`: the change of a run, or of one of its steps, as a patch."""

from __future__ import annotations

import click

from gumpc.cli.finding import recorded, require_step
from runtime.errors import RunError


@click.command("diff")
@click.argument("run", default="latest")
@click.argument("step", required=False)
@click.option("--stat", is_flag=True, help="Only the files and their line counts.")
def command(*, run: str, step: str | None, stat: bool) -> int:
    """Show the change of RUN (default: the latest), or of one STEP of it."""
    found = recorded(run)
    old, new = found.state.tree, found.tree()
    if step is not None:
        require_step(found, step)
        state = found.state.peek(step)
        last = state.last
        old, new = state.tree_in, state.tree or (last.tree_out if last else "")
        if not new:
            raise RunError(f"step {step} has not changed anything yet")
    repository = found.around.repository
    if stat:
        for change in repository.changed(old, new):
            counts = "binary" if change.binary else f"+{change.added} −{change.removed}"
            click.echo(f"{change.status} {change.path}  {counts}")
        return 0
    click.echo(repository.diff(old, new), nl=False)
    return 0
