"""Runs the command of a gate and keeps what it printed; tells a failing project from a machine that can't judge it.

Commands get the caller's environment and three things more. `PYTHONDONTWRITEBYTECODE` keeps byte code out of the tree.
`CI=1`, unless the caller has set `CI`, keeps test runners from watching or asking, since nobody is there to answer. And
the values of a `bash` gate's references, which never become part of its text.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gumpc.gate_commands import GateCommand, Read, resolve
from gumpc.values import cut_middle, duration_text
from runtime.errors import RunError
from runtime.gates.check import Bench, Check, GateStopped
from runtime.gates.tool_output import error_text, plain_text
from runtime.process import Command, Exit

EXECUTES = frozenset({"compile", "test", "lint", "coverage", "tests_found", "bash"})
"""The gates that run a command."""
SKIPPABLE = frozenset({"lint", "coverage"})
"""The gates that are skipped where their tool is not installed."""
MAX_OUTPUT = 64 * 2**20
"""Bytes that a command may print."""
MAX_READ = 2**20
"""Bytes of each stream, from its end, that are looked at."""
MAX_VALUE = 128 * 1024 - 1
"""Bytes that Linux lets one environment variable have, name and all (MAX_ARG_STRLEN)."""
PROBE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended and what it printed, as plain text, with paths relative to the tree."""

    exit: Exit
    stdout: str
    stderr: str
    timed_out: bool = False

    @property
    def passed(self) -> bool:
        """Whether the command ended by itself with 0."""
        return self.exit.reason == "exited" and self.exit.code == 0


def command_of(check: Check, *, configured: Mapping[str, str], read: Read) -> GateCommand | None:
    """What the gate would run in a tree; None for one that runs nothing or has no command there."""
    if check.kind == "bash":
        return GateCommand(check.script, ("bash",), marker="workflow")
    return resolve(check.kind, configured=configured, read=read) if check.kind in EXECUTES else None


def run_command(check: Check, command: GateCommand, bench: Bench) -> Ran:
    """Run a gate's command in the tree.

    Raises:
        GateStopped: the run, not the time limit, ended it.
        RunError: it could not be started, or its guard was killed.
    """
    shell = "bash" if check.kind == "bash" else "/bin/sh"
    return _run(check, bench, (shell, "-c", command.script), directory=bench.directory(), seconds=bench.timeout)


def missing_program(command: GateCommand, bench: Bench) -> str:
    """The first program that the command needs and PATH does not have; empty when all are there."""
    path = bench.environment.get("PATH", "")
    return next((name for name in command.needs if shutil.which(name, path=path) is None), "")


def missing_tool(check: Check, command: GateCommand, bench: Bench) -> str:
    """The tool that the command's probe does not find, or an empty string.

    The probe runs outside of the tree: a file in there could make an installed tool look absent, and so skip the gate.
    """
    if not command.probe:
        return ""
    ran = _run(check, bench, command.probe, directory=bench.artifacts, seconds=PROBE_SECONDS, suffix=".probe")
    return "" if ran.passed else command.tool


def unfit_value(check: Check) -> str:
    """Why a value can't go into the environment, or an empty string."""
    for name, value in check.values.items():
        size = len(f"{name}={value}".encode("utf-8", "surrogateescape"))
        if size > MAX_VALUE:
            return f"the value of a reference ({name}) has {size:,} bytes; a command gets at most {MAX_VALUE:,}"
        if "\0" in value:
            return f"the value of a reference ({name}) holds a NUL character, which a command can't get"
    return ""


def failure(ran: Ran, bench: Bench) -> str:
    """Why a command did not pass: what it printed, and before that what the output can't tell. Never empty."""
    reason = _reason(ran, bench)
    printed = error_text(ran.stdout, ran.stderr, limit=bench.error_limit - len(reason) - 1)
    if ran.exit.reason == "exited" and ran.exit.signal is None and printed:
        return printed
    return f"{reason}\n{printed}" if printed else reason


def _reason(ran: Ran, bench: Bench) -> str:
    if ran.timed_out:
        return f"no result within {duration_text(bench.timeout)}"
    if ran.exit.reason == "flooded":
        return f"printed more than {MAX_OUTPUT // 2**20} MB, and was stopped"
    if ran.exit.signal is not None:
        return f"ended by signal {ran.exit.signal}"
    return f"ended with exit code {ran.exit.code}, and printed nothing"


def _run(
    check: Check, bench: Bench, argv: tuple[str, ...], *, directory: Path, seconds: float, suffix: str = ""
) -> Ran:
    stem = f"{check.number}-{re.sub(r'[^A-Za-z0-9._-]', '_', check.name)[:100]}{suffix}"
    files = {kind: bench.artifacts / f"{stem}.{kind}" for kind in ("stdout", "stderr", "exit")}
    environment = {"CI": "1", **bench.environment, "PYTHONDONTWRITEBYTECODE": "1", **check.values}
    command = Command(
        argv, str(directory), environment, files["stdout"], files["stderr"], files["exit"], max_output=MAX_OUTPUT
    )
    end = bench.clock() + seconds
    result = bench.run(command, lambda: bench.clock() >= end)
    timed_out = result.reason == "stopped" and bench.clock() >= end
    if result.reason == "stopped" and not timed_out:
        raise GateStopped(f"the gate `{check.name}` was stopped")
    if result.reason in ("not_started", "orphaned"):
        raise _refusal(check, result)
    return Ran(result, _end_of(files["stdout"], directory), _end_of(files["stderr"], directory), timed_out)


def _refusal(check: Check, result: Exit) -> RunError:
    what = "could not be started" if result.reason == "not_started" else "lost the process that guards it"
    detail = f": {cut_middle(result.message, 500)}" if result.message else ""
    return RunError(f"the command of the gate `{check.name}` {what}{detail}", help="run `gumpc doctor`")


def _end_of(path: Path, directory: Path) -> str:
    """The last `MAX_READ` bytes of a stream. The slot's own path is dropped: it says nothing and differs per slot."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - MAX_READ))
            return plain_text(file.read()).replace(f"{directory}/", "")
    except FileNotFoundError:
        return ""
