"""`gumpc run`: runs a workflow or goes on with a run; progress goes to standard error, events on request to output."""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import nullcontext
from typing import Any

import click

from gumpc.cli.asking import request, request_options, require_project, surroundings
from gumpc.cli.console import say, wants_color
from gumpc.cli.finding import count_changes, run_ids
from gumpc.cli.plan import show_plan
from runtime.errors import ExitCode, RunError
from runtime.events import Event, encode
from runtime.report.live import RunDisplay
from runtime.report.summary import summary_text
from runtime.runner import Ended, Surroundings, Watchers, resume, start
from runtime.runs import find_run, list_runs
from runtime.state import RunState


@click.command("run")
@request_options
@click.option("--dry-run", is_flag=True, help="Show the plan only.")
@click.option("--json", "as_json", is_flag=True, help="Events as JSON lines on standard output.")
@click.option("--resume", "resumed", is_flag=False, flag_value="latest", metavar="[RUN]", help="Go on with a run.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), default=1, help="Steps at once (this version runs one).")
@click.option("--yes", is_flag=True, help="Ask nothing (this version never asks).")
@click.pass_obj
def command(
    quiet: bool,
    /,
    *,
    dry_run: bool,
    as_json: bool,
    resumed: str | None,
    jobs: int,
    yes: bool,
    **words: Any,
) -> int:
    """Run WORKFLOW; steps whose inputs are unchanged are skipped."""
    project = require_project()
    around = surroundings(project)
    if resumed is not None:
        return go_on(resumed, around, quiet=quiet, as_json=as_json)
    asked = request(project, around.repository.root, **words)
    if dry_run:
        return show_plan(asked, around, as_json=as_json)
    with _display(around, quiet=quiet, as_json=as_json) or nullcontext() as display:
        ended = start(asked, around, _watchers(display, as_json=as_json))
    return _close(ended, around, quiet=quiet)


def go_on(name: str, around: Surroundings, *, quiet: bool, as_json: bool) -> int:
    """Resume a run by its id, a prefix of it, or `latest`, which means the latest one that is not over."""
    root = around.repository.root
    if name == "latest":
        waiting = [run.id for run in list_runs(root) if run.status not in ("passed", "failed")]
        if not waiting:
            raise RunError("there is no run to go on with", help="`gumpc status` lists the runs")
        name = waiting[-1]
    run = find_run(root, name)
    with _display(around, quiet=quiet, as_json=as_json) or nullcontext() as display:
        ended = resume(run, around, _watchers(display, as_json=as_json))
    return _close(ended, around, quiet=quiet)


def _display(around: Surroundings, *, quiet: bool, as_json: bool) -> RunDisplay | None:
    """The display on standard error; none with `-q`, and no redrawing where events go to the same terminal."""
    if quiet:
        return None
    repository = around.repository
    return RunDisplay(
        sys.stderr,
        in_place=sys.stderr.isatty() and not as_json and os.environ.get("TERM") != "dumb",
        color=wants_color(sys.stderr, around.config),
        runs=run_ids(around),
        count_files=lambda old, new: len(repository.changed(old, new)),
    )


def _watchers(display: RunDisplay | None, *, as_json: bool) -> Watchers:
    watchers = Watchers([display], display.observe, display.on_plan) if display else Watchers()
    if as_json:
        watchers.listeners.append(_print_event)
    return watchers


def _print_event(event: Event, state: RunState) -> None:
    line = json.dumps({"type": event.type, **encode(event)}, ensure_ascii=False)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _close(ended: Ended, around: Surroundings, *, quiet: bool) -> int:
    state = ended.state
    changes = count_changes(around.repository, state.tree, state.result_tree)
    if not quiet or ended.code != ExitCode.SUCCESS:
        text = summary_text(
            ended.plan,
            state,
            files=changes.files,
            added=changes.added,
            removed=changes.removed,
            branch=state.branch,
            width=shutil.get_terminal_size((100, 24)).columns,
            color=wants_color(sys.stderr, around.config),
            runs=run_ids(around),
        )
        say(text.rstrip("\n"))
    return ended.code
