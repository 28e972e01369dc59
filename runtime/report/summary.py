"""The last words on a run: how it ended, what it cost, and the commands that go on from there.

A run that failed names the step and the gate, the first lines of the error and where the rest is. Paths and commands
are never shortened: they are there to be copied.
"""

from __future__ import annotations

import shlex

from gumpc.plan import Plan
from runtime.report.columns import Style, clip, flow, paint, paragraph
from runtime.report.figures import duration, lines_changed, money, money_sum, number_of, short_id
from runtime.report.model import error_lines, failed_step, running_steps, totals_of, what_failed
from runtime.state import RunState

ERROR_LINES = 6
"""Lines of an error that are shown: enough for a test's name and its assertion."""


_NEXT = "  next:  "

Command = tuple[str, str]


def summary_text(
    plan: Plan,
    state: RunState,
    *,
    files: int,
    added: int,
    removed: int,
    branch: str,
    width: int,
    color: bool = False,
    runs: tuple[str, ...] = (),
) -> str:
    """How the run stands at the end of its process; ends with a line end.

    Args:
        files: how many files the run changed, with the lines `added` and `removed` in them.
        branch: what `apply` would merge into.
        runs: ids of all runs, so that the shortened id is that of this one only.
    """
    run = short_id(state.id, runs)
    change = f"{number_of(files, 'file')}, {lines_changed(added, removed)}" if files else ""
    applying = [("gumpc diff", f"the change ({change})"), ("gumpc apply", f"merge it into {branch or 'HEAD'}")]
    if state.status == "passed":
        lines = _passed(plan, state, run, applying if files else [], width)
        return _ended(lines, "good", color)
    if state.status == "failed":
        lines = _limited(plan, state, run, width) if state.limit else _failed(plan, state, run, width)
        return _ended(lines, "bad", color)
    return _ended(_stopped(plan, state, run, width), "warn", color)


def limit_text(state: RunState) -> str:
    """The limit that ended the run, with what was spent of it; empty when none did."""
    match state.limit:
        case "max_budget":
            return f"budget reached: {money_sum(state.cost, state.priced_cost)} of {money(state.max_budget)}"
        case "max_timeout":
            limit = duration((state.max_timeout or 0) * 1000)
            return f"time limit reached: {duration(state.duration_ms)} of {limit}"
        case "max_tokens":
            return f"token limit reached: {state.usage.total:,} of {state.max_tokens or 0:,}"
        case "":
            return ""
        case other:
            return f"{other} reached"


def run_again(state: RunState) -> str:
    """The command that starts the same workflow on the same spec."""
    spec = f" --spec {shlex.quote(state.spec)}" if state.spec else ""
    return f"gumpc run {shlex.quote(state.workflow)}{spec}"


def attempt_folder(state: RunState, step: str, attempt: int) -> str:
    """Where the artifacts of an attempt are, from the repository's root."""
    return f".gump/runs/{state.id}/artifacts/{step}/attempt-{max(attempt, 1)}/"


def _passed(plan: Plan, state: RunState, run: str, applying: list[Command], width: int) -> list[str]:
    totals = totals_of(plan, state)
    if totals.steps and totals.skipped == totals.steps:
        saved = f"saved {money(state.saved)}" if state.saved else ""
        skipped = f"{number_of(totals.steps, 'step')} skipped"
        parts = [f"{state.workflow} is up to date", skipped, f"{saved} (run {run})" if saved else f"run {run}"]
        return [*flow(parts, width=width), *_next(applying, width)]
    head = [f"run {run} passed", _steps(plan, state), *_figures(plan, state)]
    return [*flow(head, width=width), *_next([("gumpc report", "what it did and cost"), *applying], width)]


def _failed(plan: Plan, state: RunState, run: str, width: int) -> list[str]:
    step = failed_step(plan, state)
    if step is None or step.last is None:
        return flow([f"run {run} failed", _steps(plan, state), *_figures(plan, state)], width=width)
    attempt = step.last
    error = error_lines(attempt)
    attempts = f" in the last of {len(step.attempts)} attempts" if len(step.attempts) > 1 else ""
    head = [f"run {run} failed at {step.id}", what_failed(attempt) + attempts, *_figures(plan, state)]
    more = len(error) - ERROR_LINES
    said = [clip(f"  {line}", width) for line in error[:ERROR_LINES]] + ([f"  … {more} more lines"] if more > 0 else [])
    rest = f"  all of it: {attempt_folder(state, step.id, attempt.number)}"
    commands = [
        (f"gumpc report --detail {shlex.quote(step.id)}", "every attempt, with its errors"),
        (f"gumpc diff {run} {shlex.quote(step.id)}", "the code as the last attempt left it"),
        (run_again(state), "try again; what passed is skipped"),
    ]
    return [*flow(head, width=width), *said, rest, *_next(commands, width)]


def _limited(plan: Plan, state: RunState, run: str, width: int) -> list[str]:
    at = next((f" at {step.id}" for step in running_steps(plan, state)), "")
    head = [f"run {run} failed{at}", limit_text(state), _steps(plan, state), *_figures(plan, state)]
    flag = {"max_budget": " --max-budget USD"}.get(state.limit, "")
    commands = [
        ("gumpc report", "where it went"),
        (run_again(state) + flag, "go on with a higher limit; what passed is skipped"),
    ]
    return [*flow(head, width=width), *_next(commands, width)]


def _stopped(plan: Plan, state: RunState, run: str, width: int) -> list[str]:
    at = next((f" at {step.id}" for step in running_steps(plan, state)), "")
    word, why, remedy = _reason(state)
    head = [f"run {run} {word}{at}", _steps(plan, state), *_figures(plan, state)]
    said = paragraph(why, width=width, indent="  ")
    commands = [(f"gumpc resume {run}", remedy), (f"gumpc report {run}", "what it did and cost so far")]
    return [*flow(head, width=width), *said, *_next(commands, width)]


def _reason(state: RunState) -> tuple[str, str, str]:
    """What to call the stop, its message, and when to resume."""
    match state.paused:
        case "":
            return "is running", "", "go on with it, if its process is gone"
        case "interrupted":
            return "interrupted", state.message, "go on where it stopped"
        case "quota" | "rate_limit":
            return f"paused ({state.paused})", state.message, "go on, once the provider serves again"
        case "error":
            return "stopped", state.message, "go on, once that is put right"
        case kind:
            return f"paused ({kind})", state.message, "go on, once that is put right"


def _steps(plan: Plan, state: RunState) -> str:
    totals = totals_of(plan, state)
    skipped = f" ({totals.skipped} skipped)" if totals.skipped else ""
    done = number_of(totals.steps, "step") if totals.over == totals.steps else f"{totals.over} of {totals.steps} steps"
    return done + skipped


def _figures(plan: Plan, state: RunState) -> list[str]:
    totals = totals_of(plan, state)
    retries = number_of(totals.retries, "retry", "retries") if totals.retries else ""
    escalations = number_of(totals.escalations, "escalation") if totals.escalations else ""
    again = ", ".join(filter(None, (retries, escalations)))
    return [again, money_sum(state.cost, state.priced_cost), duration(state.duration_ms)]


def _next(commands: list[Command], width: int) -> list[str]:
    """The commands under each other, each with what it is for, which stands below it where both do not fit."""
    wide = max((len(command) for command, _ in commands), default=0)
    fits = all(len(_NEXT) + wide + 3 + len(what) <= width for _, what in commands)
    lines = []
    for n, (command, what) in enumerate(commands):
        begin = _NEXT if n == 0 else " " * len(_NEXT)
        lines += [f"{begin}{command:<{wide}}   {what}"] if fits else [begin + command, " " * len(_NEXT) + f"  {what}"]
    return lines


def _ended(lines: list[str], style: Style, color: bool) -> str:
    """The lines as text, the first in the colour of how it ended."""
    return "\n".join([paint(lines[0], style, color), *lines[1:]]) + "\n"
