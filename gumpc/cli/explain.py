"""`gumpc explain`: why a step ran or was skipped, from the manifests of its key, then and now."""

from __future__ import annotations

import json
import sys

import click

from gumpc.cli.console import wants_color
from gumpc.cli.finding import Recorded, recorded, require_step, run_ids, width
from runtime.cache import Cache
from runtime.errors import RunError
from runtime.report.explain_text import explain_text
from runtime.report.figures import short_id
from runtime.results import Latest, latest_from, stored_from
from runtime.state import StepState
from runtime.workbench import cache_folder


@click.command("explain")
@click.argument("step")
@click.option("--run", default="latest", help="Of which run (default: the latest).")
def command(*, step: str, run: str) -> int:
    """Say why STEP ran or was skipped."""
    found = recorded(run)
    require_step(found, step)
    state = found.state.peek(step)
    if not state.is_over and not state.attempts:
        raise RunError(f"step {step} has not been reached in run {found.run.id[:8]}")
    now, before = _manifests(found, state)
    if now is None:
        click.echo(f"{step} {_happened(state)} in {found.run.id[:8]}: {state.reason or 'its gates decide alone'}")
        return 0
    text = explain_text(
        step,
        run_id=short_id(found.run.id, run_ids(found.around)),
        happened=_happened(state),
        reason=state.reason,
        now=now,
        before=before,
        changed_files=_changed(found, now, before),
        width=width(),
        color=wants_color(sys.stdout, found.around.config),
    )
    click.echo(text.rstrip("\n"))
    return 0


def _happened(state: StepState) -> str:
    return "was skipped" if state.cached else "ran"


def _manifests(found: Recorded, state: StepState) -> tuple[Latest | None, Latest | None]:
    """What the step's key was made of in this run, and what it was compared with."""
    if state.cached and state.key:
        with Cache.open(cache_folder(found.around.repository)) as cache:
            stored = stored_from(cache.get("step", state.key))
        if stored is None:
            return None, None
        now = Latest(state.key, stored.run, stored.tree_in, stored.parts, stored.fields)
        return now, now
    path = found.run.attempt_folder(state.id, 1) / "manifest.json"
    if not path.exists():
        return None, None
    kept = json.loads(path.read_text("utf-8"))
    return latest_from(kept["now"]), latest_from(kept["before"])


def _changed(found: Recorded, now: Latest, before: Latest | None) -> list[tuple[str, str, str]]:
    repository = found.around.repository
    if before is None or not repository.has_objects(before.tree_in, now.tree_in):
        return []
    old, new = (repository.key_tree(tree, without=found.own_files) for tree in (before.tree_in, now.tree_in))
    changes = repository.changed(old, new)
    return [(change.status, change.path, _writer(found, change.path)) for change in changes]


def _writer(found: Recorded, path: str) -> str:
    """The last step of this run that changed the file; empty when none did."""
    states = [found.state.peek(node.id) for node in found.plan.nodes if node.writes]
    changed = found.around.repository.changed
    wrote = [s.id for s in states if s.tree and any(c.path == path for c in changed(s.tree_in, s.tree))]
    return wrote[-1] if wrote else ""
