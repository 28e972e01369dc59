"""`gumpc apply`: brings the result of a run that passed into the current branch."""

from __future__ import annotations

import sys

import click

from gumpc.cli.console import say
from gumpc.cli.finding import recorded, run_ids
from runtime.errors import RunError
from runtime.landing import Landed, land, patch
from runtime.report.figures import short_id


@click.command("apply")
@click.argument("run", default="latest")
@click.option("--squash", is_flag=True, help="One ordinary commit instead of a merge.")
@click.option("--patch", "as_patch", is_flag=True, help="Print the change as a patch; nothing is committed.")
@click.pass_obj
def command(quiet: bool, /, *, run: str, squash: bool, as_patch: bool) -> int:
    """Merge the result of RUN (default: the latest) into the current branch."""
    found = recorded(run)
    state = found.state
    if state.status != "passed":
        raise RunError(
            f"run {state.id[:8]} has not passed ({state.paused or state.status}), so there is no result to apply",
            help="`gumpc resume` goes on with it; `gumpc apply RUN` names another run",
        )
    repository = found.around.repository
    if as_patch:
        sys.stdout.buffer.write(patch(repository, base=state.commit, result_tree=state.result_tree))
        return 0
    landed = land(
        repository,
        base=state.commit,
        result_tree=state.result_tree,
        run_id=state.id,
        title=f"{state.workflow}: {state.spec}" if state.spec else state.workflow,
        mode="squash" if squash else "merge",
    )
    if not quiet:
        say(_summary(landed, short_id(state.id, run_ids(found.around))))
    return 0


def _summary(landed: Landed, run: str) -> str:
    if landed.commit is None:
        return f"nothing to apply: run {run} changed nothing that the branch does not have"
    noun = "file" if len(landed.changes) == 1 else "files"
    return f"applied run {run} as {landed.commit[:8]}: {len(landed.changes)} {noun}"
