"""From the words of a command line to what the runtime is asked: the workflow, the spec, the repository."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gumpc import ir, walk
from gumpc.cli.console import say, wants_color
from gumpc.cli.project import Project, find_project
from gumpc.compiler import Compilation
from gumpc.library import BUILTIN, SUFFIXES
from gumpc.nearest import nearest
from gumpc.render import render_text, summary
from runtime.clock import SystemClock
from runtime.errors import RunError
from runtime.repository import Repository
from runtime.runner import Request, Surroundings
from runtime.workbench import Choices

CONFIG_FILE = "gump.toml"

Command = TypeVar("Command", bound=Callable[..., Any])


def request_options(command: Command) -> Command:
    """The arguments and options that `plan` and `run` share."""
    for option in reversed(
        (
            click.argument("workflow", required=False),
            click.option("--spec", type=click.Path(dir_okay=False), help="The spec file, `{spec}` in the workflow."),
            click.option("--workflow", "workflow_option", metavar="NAME", help="With SPEC.md as the argument."),
            click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="Give an input a value."),
            click.option("--agent", help="Use this agent for all steps."),
            click.option("--from", "from_step", default="", metavar="STEP", help="Run this step and what follows."),
            click.option("--force", is_flag=True, help="Ignore stored results."),
            click.option("--recheck", is_flag=True, help="Run all gates again on stored results."),
            click.option("--base", metavar="REV", help="Start from this commit."),
            click.option("--dirty", is_flag=True, help="Start from the working tree as it stands."),
            click.option("--max-budget", type=click.FloatRange(min=0, min_open=True), help="USD for the whole run."),
        )
    ):
        command = option(command)
    return command


def surroundings(project: Project) -> Surroundings:
    """Where the command runs; raises RunError outside of a git repository."""
    return Surroundings(Repository.discover(project.directory), project.config, os.environ, SystemClock())


def request(
    project: Project,
    root: Path,
    *,
    workflow: str | None,
    spec: str | None,
    workflow_option: str | None,
    sets: tuple[str, ...],
    agent: str | None,
    from_step: str,
    force: bool,
    recheck: bool,
    base: str | None,
    dirty: bool,
    max_budget: float | None,
) -> Request:
    """What is asked to be run; raises RunError for anything that is missing or wrong."""
    if workflow is None:
        raise RunError("no workflow was named", help="for example: gumpc run tdd --spec spec.md")
    if workflow_option is not None:
        workflow, spec = workflow_option, workflow
    inputs = _inputs(sets)
    spec_path = _read_spec(spec, inputs, project.directory) if spec is not None else None
    if agent is not None:
        _require_agent(agent, project)
    compilation, source = _compiled(workflow, project)
    compiled = compilation.workflow
    assert compiled is not None, "a compilation without a workflow has been refused"
    inputs = dict(compiled.defaults) | inputs
    if "spec" not in inputs and _reads_spec(compiled):
        raise RunError("this workflow reads `{spec}`, and no spec file was given", help="add --spec FILE")
    return Request(
        workflow=compiled,
        source=source,
        spec=_inside(spec_path, root) if spec_path else "",
        inputs=inputs,
        own_files=_own_files(spec_path, compilation, root, project.directory),
        choices=Choices(agent, force, from_step, recheck),
        base=base,
        dirty=dirty,
        max_budget=max_budget,
    )


def _compiled(name: str, project: Project) -> tuple[Compilation, str]:
    found = project.library.find(name)
    if found is None:
        names = [n for n, _ in project.library.names()]
        close = nearest(name, names)
        hint = f"did you mean `{close}`? " if close else ""
        kind = "a path ends in .yaml or .yml" if not name.endswith(SUFFIXES) else "paths are relative to this folder"
        raise RunError(f"there is no workflow `{name}`", help=f"{hint}known: {', '.join(names)}; {kind}")
    compilation = project.compile(found)
    if compilation.in_the_way:
        color = wants_color(sys.stderr, project.config)
        say(render_text(compilation.in_the_way, compilation.sources, color=color))
    if compilation.workflow is None:
        raise RunError(summary(compilation.in_the_way, 1), help="nothing runs while a workflow has errors")
    return compilation, compilation.sources[found.name]


def _inputs(sets: tuple[str, ...]) -> dict[str, str]:
    inputs = {}
    for given in sets:
        name, equals, value = given.partition("=")
        if not equals or not name:
            raise RunError(f"--set {given}: expected NAME=VALUE")
        inputs[name] = value
    return inputs


def _reads_spec(workflow: ir.Workflow) -> bool:
    """True when a step of the workflow, or of one that it calls, reads `{spec}` as it was given to the run."""
    return any(
        isinstance(r.target, ir.InputTarget) and r.target.name == "spec"
        for step in walk.steps(workflow)
        for r in walk.references(step)
    ) or any(
        _reads_spec(call.workflow)
        for step in walk.steps(workflow)
        for call in walk.invocations(step)
        if all(binding.name != "spec" for binding in call.inputs)
    )


def _read_spec(spec: str, inputs: dict[str, str], directory: Path) -> Path:
    """Read the spec into the inputs; gives the file's path."""
    path = (directory / spec).resolve()
    try:
        inputs["spec"] = path.read_text("utf-8")
    except FileNotFoundError:
        raise RunError(f"there is no spec file `{spec}`", help="the path is relative to the current folder") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"the spec file `{spec}` cannot be read: {error}") from None
    return path


def _own_files(spec: Path | None, compilation: Compilation, root: Path, directory: Path) -> tuple[str, ...]:
    """What is ours in the repository: the spec, every file compiled into the workflow, and the configuration."""
    paths = [directory / name for name in compilation.sources if not name.startswith(BUILTIN)]
    paths += [root / CONFIG_FILE, *([spec] if spec else [])]
    inside = [_inside(path.resolve(), root) for path in paths]
    return tuple(sorted({path for path in inside if path}))


def _inside(path: Path, root: Path) -> str:
    """A path from the repository's root; empty for one outside of it."""
    resolved = root.resolve()
    return path.relative_to(resolved).as_posix() if path.is_relative_to(resolved) else ""


def _require_agent(agent: str, project: Project) -> None:
    from gumpc.agent_names import known_agents, resolve_agent

    if resolve_agent(agent, project.config) is None:
        close = nearest(agent, known_agents(project.config))
        raise RunError(f"there is no agent `{agent}`", help=f"did you mean `{close}`?" if close else "")


def require_project() -> Project:
    """The project around the current folder."""
    return find_project(Path.cwd())
