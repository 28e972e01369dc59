"""Performs one gate: picks what judges it, and turns the outcome into a verdict.

Three ends must not be confused. The project fails the gate: a verdict with an error, which costs an attempt. The gate
can't judge here and may be left out: a verdict that is skipped, and says so. The machine or the config is at fault: no
verdict but a `RunError`, since no agent could put it right and none should be paid for trying.
"""

from __future__ import annotations

from dataclasses import replace

from gumpc.gate_commands import MARKERS, REQUIRED, GateCommand
from runtime.errors import RunError
from runtime.gates import changes
from runtime.gates.check import Bench, Check, Subject
from runtime.gates.commands import (
    EXECUTES,
    SKIPPABLE,
    Ran,
    command_of,
    failure,
    missing_program,
    missing_tool,
    run_command,
    unfit_value,
)
from runtime.gates.tests_found import read_listing, runner_of
from runtime.gates.tool_output import coverage_percent
from runtime.gates.verdict import Verdict
from runtime.outputs import OutputError, parse_artifact, parse_tasks


def judge(check: Check, subject: Subject, *, bench: Bench) -> Verdict:
    """The verdict on one gate of any kind but `validate`, which is a run of a workflow.

    Raises:
        RunError: the config or the machine is at fault.
        GateStopped: the run ended the gate's command.
        OSError: the artifacts can't be read or written.
    """
    if check.kind in EXECUTES:
        return _executed(check, subject, bench)
    if check.kind == "touched":
        return changes.touched(check.name, check.globs, subject.changed)
    if check.kind == "untouched":
        return changes.untouched(check.name, check.globs, subject.changed)
    if check.kind == "schema":
        return _schema(check, subject)
    raise ValueError(f"no gate of kind {check.kind!r} is judged here")


def _executed(check: Check, subject: Subject, bench: Bench) -> Verdict:
    command = command_of(check, configured=bench.configured, read=subject.read)
    if command is None:
        return _unresolved(check)
    unfit = unfit_value(check)
    if unfit:
        return _failed(check, unfit)
    missing = missing_program(command, bench)
    if missing:
        return _not_installed(check, command, missing)
    ran = run_command(check, command, bench)
    if not ran.passed and not ran.timed_out:
        missing = missing_tool(check, command, bench)
        if missing:
            return _not_installed(check, command, missing)
    verdict = _verdict(check, command, ran, subject, bench)
    return replace(verdict, seconds=ran.exit.seconds, command=_on_one_line(command.script))


def _verdict(check: Check, command: GateCommand, ran: Ran, subject: Subject, bench: Bench) -> Verdict:
    if check.kind == "tests_found" and ran.exit.reason == "exited":
        listing = read_listing(runner_of(command.marker), ran, subject)
        if listing.found:
            return Verdict(check.name, check.kind, passed=True, comments=listing.reason)
        return _failed(check, listing.reason or failure(ran, bench))
    if not ran.passed:
        return _failed(check, failure(ran, bench))
    return _coverage(check, ran) if check.kind == "coverage" else Verdict(check.name, check.kind, passed=True)


def _coverage(check: Check, ran: Ran) -> Verdict:
    percent = coverage_percent(f"{ran.stderr}\n{ran.stdout}")
    wanted = check.threshold or 0.0
    if percent is None:
        return _failed(check, "the coverage command prints no total percentage that is understood")
    if percent < wanted:
        return _failed(check, f"coverage is {percent:g}%, and must be at least {wanted:g}%")
    return Verdict(check.name, check.kind, passed=True, comments=f"coverage is {percent:g}%")


def _schema(check: Check, subject: Subject) -> Verdict:
    if subject.step_type == "split":
        parsed: object = parse_tasks(subject.output)
    elif subject.step_type == "artifact":
        parsed = parse_artifact(subject.output)
    elif subject.step_type == "validate":
        fits = subject.output in ("true", "false")
        parsed = None if fits else OutputError("the verdict is neither `true` nor `false`")
    else:
        skipped = f"a {subject.step_type} step has no output with a schema"
        return Verdict(check.name, check.kind, passed=True, skipped=skipped)
    error = parsed.message if isinstance(parsed, OutputError) else ""
    return _failed(check, error) if error else Verdict(check.name, check.kind, passed=True)


def _unresolved(check: Check) -> Verdict:
    if check.kind not in REQUIRED:
        return Verdict(check.name, check.kind, passed=True, skipped=f"nothing says how to {_DEEDS[check.kind]} here")
    raise RunError(
        f"the gate `{check.name}` has no command in this repository",
        help=f"set {check.kind}_cmd under [validation] in gump.toml, or add one of: {', '.join(MARKERS)}",
    )


_DEEDS = {"lint": "lint", "coverage": "measure coverage", "tests_found": "list the tests"}


def _not_installed(check: Check, command: GateCommand, tool: str) -> Verdict:
    if check.kind in SKIPPABLE:
        return Verdict(check.name, check.kind, passed=True, skipped=f"{tool} is not installed")
    raise _refusal(check, command, tool)


def _refusal(check: Check, command: GateCommand, tool: str) -> RunError:
    return RunError(
        f"the gate `{check.name}` needs {tool}, which is not installed ({command.marker} asks for it)",
        help=f"install {tool}" + (f", or set {check.kind}_cmd under [validation]" if check.kind in REQUIRED else ""),
    )


def _failed(check: Check, error: str) -> Verdict:
    return Verdict(check.name, check.kind, passed=False, error=error)


def _on_one_line(script: str) -> str:
    first, separator, _ = script.strip().partition("\n")
    return f"{first} …" if separator else first
