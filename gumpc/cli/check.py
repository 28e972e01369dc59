"""`gumpc check` with its options; without any, `gumpc.__main__` calls the same function directly."""

from __future__ import annotations

import click

from gumpc.cli.checking import Options, check_paths
from gumpc.codes import CODES

FORMATS = ("text", "json", "github", "gitlab", "sarif", "junit")


def _codes(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Codes or beginnings of codes, separated by commas, each of which begins a code that there is."""
    from gumpc.nearest import nearest

    codes = tuple(code.strip().upper() for part in given for code in part.split(","))
    for code in codes:
        if not code or not any(known.startswith(code) for known in CODES):
            close = nearest(code, CODES)
            meant = f" Did you mean `{close}`?" if close else ""
            raise click.BadParameter(f"`{code}` begins no code.{meant}", context, parameter)
    return codes


@click.command("check")
@click.argument("paths", nargs=-1)
@click.option("--format", "style", type=click.Choice(FORMATS), default="text", help="How to print.")
@click.option(
    "--select", multiple=True, callback=_codes, metavar="CODES", help="Only these (G301, or G3 for all G3xx)."
)
@click.option("--ignore", multiple=True, callback=_codes, metavar="CODES", help="All but these.")
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@click.option("--fix", is_flag=True, help="Apply the fixes that need no thought, then tell what remains.")
@click.option("--diff", is_flag=True, help="With --fix: show the changes and write nothing.")
@click.option("--explain", metavar="CODE", help="Tell what a code means and what to do.")
@click.option("--stdin-filename", default="<stdin>", help="The name of what `-` reads.")
@click.pass_obj
def command(
    quiet: bool,
    paths: tuple[str, ...],
    style: str,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    strict: bool,
    fix: bool,
    diff: bool,
    explain: str | None,
    stdin_filename: str,
) -> int:
    """Find what is wrong with workflows: files, names of built-ins, `-`, or all of .gump/ without an argument."""
    if explain is not None:
        from gumpc.cli.explain_code import explain_code

        return explain_code(explain)
    if diff and not fix:
        raise click.UsageError("--diff shows what --fix would do: give both")
    options = Options(style, strict, stdin_filename, quiet, select, ignore)
    if fix:
        from gumpc.cli.fixing import fix_paths

        return fix_paths(paths, options, preview=diff)
    return check_paths(paths, options)
