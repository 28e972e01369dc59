"""`gumpc check` with its options; without any, `gumpc.__main__` calls the same function directly."""

from __future__ import annotations

import click

from gumpc.cli.checking import check_paths


@click.command("check")
@click.argument("paths", nargs=-1)
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", help="How to print.")
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@click.option("--stdin-filename", default="<stdin>", help="The name of what `-` reads.")
@click.pass_obj
def command(quiet: bool, paths: tuple[str, ...], style: str, strict: bool, stdin_filename: str) -> int:
    """Find what is wrong with workflows: files, names of built-ins, `-`, or all of .gump/ without an argument."""
    return check_paths(paths, style=style, strict=strict, stdin_name=stdin_filename, quiet=quiet)
