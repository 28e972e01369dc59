"""The command line, put together: each command is a file of its own, imported when it is called."""

from __future__ import annotations

import importlib
import os
import sys

import click

from gumpc import __version__
from gumpc.cli.console import fail

COMMANDS = {
    "check": "find what is wrong with workflows before anything runs",
    "plan": "show what a run would do, and why",
    "run": "run a workflow; what is unchanged is skipped",
    "resume": "go on with a run that stopped",
    "apply": "merge a run's result into the current branch",
    "status": "list runs, and what waits",
    "report": "what a run did and cost",
    "explain": "why a step ran or was skipped",
    "diff": "the change of a run or of one step",
    "playbook": "list and show workflows",
    "schema": "print the JSON Schema of workflow files, for editors",
    "init": "set a repository up",
    "demo": "make a small repository and run a real workflow in it, offline",
}


class Commands(click.Group):
    """A group whose commands are imported only when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"gumpc.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Like click's, but a name that is not known comes with the nearest one that is."""
        from gumpc.nearest import nearest

        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            close = nearest(name, COMMANDS)
            ctx.fail(f"there is no command `{name}`." + (f" Did you mean `{close}`?" if close else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", message="gumpc %(version)s")
@click.option("-C", "directory", type=click.Path(exists=True, file_okay=False), help="Work in this folder.")
@click.option("--no-color", is_flag=True, help="No colours (as with NO_COLOR).")
@click.option("-q", "--quiet", is_flag=True, help="Only results and errors.")
@click.pass_context
def gumpc(context: click.Context, directory: str | None, no_color: bool, quiet: bool) -> None:
    """Compile workflows of coding agents, and run them so that nothing unchanged runs again."""
    if directory:
        os.chdir(directory)
    if no_color:
        os.environ["NO_COLOR"] = "1"
    context.obj = quiet


def run() -> int:
    """Run the command that `sys.argv` asks for; the exit code."""
    from gumpc.config import ConfigError

    try:
        result = gumpc.main(standalone_mode=False)
        return int(result or 0)
    except click.exceptions.Exit as exit_request:
        return exit_request.exit_code
    except click.UsageError as error:
        context = error.ctx
        help_text = f"`{context.command_path} --help` lists what there is" if context else ""
        return fail(error.format_message(), help=help_text)
    except click.Abort:
        return 130
    except KeyboardInterrupt:
        return 130
    except ConfigError as error:
        return fail(str(error))
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:
        return _foreseen(error)


def _foreseen(error: Exception) -> int:
    """Errors of the runtime that commands foresee; anything else is a fault of ours and is raised."""
    from runtime.errors import ExitCode, RunError
    from runtime.ledger import LedgerBusy, LedgerDamaged
    from runtime.runs import AmbiguousRun, UnknownRun

    match error:
        case RunError():
            return fail(error.message, help=error.help, code=error.code)
        case UnknownRun() | AmbiguousRun():
            return fail(str(error), help="`gumpc status` lists the runs")
        case LedgerBusy():
            return fail(f"this run is being worked on: {error}", help="wait for it, or stop that process first")
        case LedgerDamaged():
            return fail(
                f"the run's ledger is damaged and will not be guessed at: {error}",
                help="keep the file; start again with `gumpc run`, which finds finished steps by their keys",
                code=ExitCode.DAMAGED,
            )
        case _:
            raise error
