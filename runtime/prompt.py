"""The text that an agent reads: the step's prompt, its context, and the rules it works under.

Everything goes in one text on standard input, never into a file of the user's: no CLAUDE.md or AGENTS.md is written,
and nothing of it can end up in a commit. The rules are part of the step's key as they are printed here, so that a
change of their wording is a change of the step.
"""

from __future__ import annotations

from dataclasses import dataclass

from gumpc.ir import AgentStep
from gumpc.tasks import Task

OUTPUT_FILES = {"split": "plan.json", "validate": "validate.json", "artifact": "artifact.txt"}

_OUTPUT_RULES = {
    "split": """\
Write your result to the file `.gump/out/plan.json`, as a JSON array of tasks in the order in which to do them:
[{"name": "short-name", "description": "what to do, complete in itself", "files": ["path/or/glob"]}]
Each name is unique, at most 64 letters, digits, dots, underscores and hyphens. `files` lists every file, tests
included, that the task may create or change. A task may have "needs": ["name", …], the tasks to be done before it.""",
    "validate": """\
Write your verdict to the file `.gump/out/validate.json`, as JSON: {"pass": true, "comments": "why"}.
`pass` is true or false; `comments` says what must change, precisely enough to act on.""",
    "artifact": "Write your result as plain text to the file `.gump/out/artifact.txt`.",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of context: what it is and its text."""

    label: str
    text: str


def rules(step: AgentStep, task: Task | None, *, blast_radius: str) -> str:
    """The rules a step's agent works under, as it reads them."""
    lines = ["Work in this directory only. Do not commit, switch branches or push: the result is taken from the files."]
    if step.type == "code":
        lines.append(_only_these_files(task, blast_radius))
    else:
        lines.append("Do not change any file of the repository.")
        lines.append(_OUTPUT_RULES[step.type])
    return "\n".join(line for line in lines if line)


def compose(prompt: str, context: tuple[Piece, ...], rules: str, failure: str = "") -> str:
    """The whole text: prompt, context, what failed before, and the rules last, where they are not forgotten."""
    parts = [prompt.strip("\n")]
    parts += [f"## {piece.label}\n\n{piece.text.strip(chr(10))}" for piece in context]
    if failure:
        parts.append(failure)
    parts.append(f"## Rules\n\n{rules}")
    return "\n\n".join(part for part in parts if part) + "\n"


def failure_context(*, number: int, attempts: int, error: str, same_session: bool) -> str:
    """What an attempt after a failed one is told, when its prompt is not overridden."""
    left = attempts - number
    again = "Your work so far is still in place." if same_session else "Earlier work may be in place: look at it first."
    return (
        f"## Attempt {number - 1} failed\n\n{error.strip() or 'No reason was given.'}\n\n"
        f"{again} This is attempt {number} of {attempts}; {left} more after it. Fix what failed and keep what is right."
    )


def _only_these_files(task: Task | None, blast_radius: str) -> str:
    if task is None or not task.files or blast_radius == "off":
        return ""
    listed = "\n".join(f"- {name}" for name in task.files)
    verb = "You may create or change only these files; anything else fails the attempt"
    if blast_radius == "warn":
        verb = "Keep to these files"
    return f"{verb}:\n{listed}"
