"""`gumpc demo`: a new repository, and in it a real workflow by the offline agent, run three times.

Everything shown comes from the commands themselves, started as a person would start them, so the demo can't promise
what they don't do. It counts the agent calls in the ledgers and fails if they are not what the headings say.
"""

from __future__ import annotations

import difflib
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import click

from gumpc import __main__ as program
from gumpc.cli.console import fail, wants_color

WORKFLOW = ".gump/workflows/ship.yaml"
FILES = {
    "ship.yaml": WORKFLOW,
    "gump.toml": "gump.toml",
    "offline.json": "offline.json",
    "spec.md": "spec.md",
    "gitignore.txt": ".gitignore",
    "pyproject.txt": "pyproject.toml",
    "money.txt": "money.py",
    "test_money.txt": "test_money.py",
    "CHANGELOG.md": "CHANGELOG.md",
}
"""What the repository is made of: the names of the package's data and of the files that they become."""

EDIT = ("as one paragraph", "as a list")
CALLS = (8, 0, 2)
"""Agent calls of the three runs: seven steps and a retry; none; the edited step and the one that reads its output."""

SHIP = ("ship", "--spec", "spec.md")

NEXT = """\
Next, in {folder}:

  gumpc report {run} --detail split/discount/code
      both attempts: what failed, and what the larger model was told
  echo 'Prices stay as they are.' >> spec.md && gumpc run ship --spec spec.md
      the split runs and gives the same tasks, so nothing after it does
  gumpc diff --stat
      what the run has changed; your branch and files are as they were
  gumpc apply
      merges it into main"""


class Deviation(Exception):
    """Something did not happen as the demo tells it."""


@click.command("demo")
@click.argument("folder", default="gumpc-demo", type=click.Path(path_type=Path))
@click.option("--fast", is_flag=True, help="No pauses.")
def command(*, folder: Path, fast: bool) -> int:
    """Make a small repository in FOLDER (default: ./gumpc-demo) and run a real workflow in it, offline."""
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            return fail(f"{folder} exists and is not an empty folder", help="name another one: gumpc demo FOLDER")
        make_repository(folder)
    except OSError as error:
        return fail(f"{folder} cannot be made: {error.strerror or error}")
    try:
        Tour(folder, fast=fast).take()
    except Deviation as deviation:
        return fail(f"the demo did not go as told: {deviation}", help=f"what it made is in {folder}", code=1)
    return 0


def make_repository(folder: Path) -> None:
    """Write the project and commit it on `main`; an identity is set, in this repository alone, where there is none."""
    import pygit2

    for name, target in FILES.items():
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((files("gumpc") / "demo" / name).read_bytes())
    repository = pygit2.init_repository(str(folder), initial_head="main")
    for key, value in (("user.name", "gumpc demo"), ("user.email", "demo@localhost")):
        if key not in repository.config:
            repository.config[key] = value
    for target in FILES.values():
        repository.index.add(target)  # also what the user's own ignore rules would leave out
    repository.index.write()
    who = repository.default_signature
    repository.create_commit("HEAD", who, who, "A till\n", repository.index.write_tree(), [])


class Tour:
    """The demo's chapters, in `folder`."""

    def __init__(self, folder: Path, *, fast: bool) -> None:
        self._folder = folder
        self._environment = _environment(os.environ, fast=fast)
        self._color = wants_color(sys.stdout)

    def take(self) -> None:
        """Show everything; raises Deviation at the first thing that is not as told."""
        self._tell(f"A new repository in {self._folder}, and a workflow by an agent that needs no account.\n")
        self._command("cd", str(self._folder))
        self._heading("What would run, and why")
        self._gumpc("plan", *SHIP)
        self._heading("Run it: two tasks, one of them too hard for the small model")
        first = self._run(CALLS[0])
        self._heading("What it did and cost")
        self._gumpc("report")
        self._heading("Run it again: nothing has changed, so nothing runs")
        self._run(CALLS[1])
        self._heading("Change one prompt")
        self._edit()
        self._heading("What would run now: that step, and what depends on it")
        self._gumpc("plan", *SHIP)
        self._heading("Run it: the rest comes from the cache")
        self._run(CALLS[2])
        self._heading("Why did it run?")
        self._gumpc("explain", "notes")
        self._heading(f"Agent calls: {CALLS[0]} in the first run, {CALLS[1]} in the second, {CALLS[2]} in the third")
        self._tell(NEXT.format(folder=self._folder, run=first))

    def _run(self, expected: int) -> str:
        """Run the workflow and hold the number of agent calls against what is told; gives the run's id."""
        self._gumpc("run", *SHIP)
        run, calls = _latest_run(self._folder)
        if calls != expected:
            raise Deviation(f"the run made {calls} agent calls and not {expected}")
        return run

    def _gumpc(self, *arguments: str) -> None:
        """Show a command, then run it with our own input and outputs."""
        self._command("gumpc", *arguments)
        done = subprocess.run(
            (sys.executable, program.__file__, *arguments), cwd=self._folder, env=self._environment, check=False
        )
        if done.returncode:
            raise Deviation(f"`gumpc {arguments[0]}` ended with exit code {done.returncode}")

    def _edit(self) -> None:
        """Change the prompt of one step and show the change."""
        path = self._folder / WORKFLOW
        before = path.read_text("utf-8")
        after = before.replace(*EDIT)
        path.write_text(after, "utf-8")
        lines = difflib.unified_diff(before.splitlines(), after.splitlines(), WORKFLOW, WORKFLOW, n=2, lineterm="")
        for line in lines:
            self._tell(self._paint({"-": "31", "+": "32"}.get(line[:1], ""), line))

    def _heading(self, text: str) -> None:
        self._tell("\n" + self._paint("1", f"── {text}") + "\n")

    def _command(self, *words: str) -> None:
        self._tell(self._paint("36", f"$ {' '.join(words)}"))

    def _paint(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._color and code else text

    def _tell(self, text: str) -> None:
        """Say it now: the commands write to the same places, and the order is the story."""
        click.echo(text)
        sys.stdout.flush()


def _environment(given: Mapping[str, str], *, fast: bool) -> dict[str, str]:
    """The user's environment without settings that would change what happens here."""
    kept = {name: value for name, value in given.items() if not name.startswith("GUMP_")}
    return kept if fast else {**kept, "GUMP_OFFLINE_SPEED": "1"}


def _latest_run(folder: Path) -> tuple[str, int]:
    """The id of the latest run and its agent calls, counted in its ledger."""
    from runtime.journal import load
    from runtime.runs import find_run

    run = find_run(folder, "latest")
    state = load(run.manifest)
    return run.id, sum(bool(attempt.launched) for step in state.steps.values() for attempt in step.attempts)
