"""`gumpc schema`: prints the JSON Schema of the workflow language, for editors and other tools."""

from __future__ import annotations

import click


@click.command("schema")
def command() -> int:
    """Print the JSON Schema of workflow files, which editors complete and check by."""
    from gumpc.schema import schema_text

    click.echo(schema_text(), nl=False)
    return 0
