"""`gumpc playbook`: the workflows that can be run here, and where each comes from."""

from __future__ import annotations

import click

from gumpc.cli.asking import require_project
from runtime.errors import RunError


@click.group("playbook")
def command() -> None:
    """List and show workflows."""


@command.command("list")
def list_workflows() -> int:
    """List workflows and validators with their source: project, user or built-in."""
    library = require_project().library
    rows = [(name, source) for name, source in library.names()]
    rows += [(f"validators/{name}", source) for name, source in library.names("validators")]
    size = max(len(name) for name, _ in rows)
    for name, source in rows:
        click.echo(f"{name.ljust(size)}  {source}")
    return 0


@command.command("show")
@click.argument("name")
def show(*, name: str) -> int:
    """Print a workflow's file."""
    found = require_project().library.find(name)
    if found is None:
        raise RunError(f"there is no workflow `{name}`", help="`gumpc playbook list` lists them")
    click.echo(found.raw, nl=False)
    return 0
