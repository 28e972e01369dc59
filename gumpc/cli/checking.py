"""`gumpc check`: compile the named workflows, or all of the project's, and say what is wrong with them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from gumpc.cli.console import fail, wants_color
from gumpc.cli.project import Project, find_project
from gumpc.config import ConfigError
from gumpc.diagnostics import Diagnostic
from gumpc.library import SUFFIXES, Found
from gumpc.render import render_json, render_text, summary

STDIN = "-"


def check_paths(
    names: tuple[str, ...],
    *,
    style: str = "text",
    strict: bool = False,
    stdin_name: str = "<stdin>",
    quiet: bool = False,
) -> int:
    """Check and print; the exit code is 0 without errors, 1 with, 2 when there was nothing to check."""
    try:
        project = find_project(Path.cwd())
    except ConfigError as error:
        return fail(str(error))
    found: list[Found] = []
    for name in names or _all(project):
        file = _find(name, project, stdin_name)
        if file is None:
            return fail(f"there is no workflow `{name}`", help=_known(project))
        found.append(file)
    if not found:
        return fail(
            "there is nothing to check: no workflow in .gump/workflows",
            help="name a file or a built-in, for example `gumpc check tdd`",
        )
    return _report(found, project, style=style, strict=strict, quiet=quiet)


def _report(found: list[Found], project: Project, *, style: str, strict: bool, quiet: bool) -> int:
    diagnostics: dict[Diagnostic, None] = {}
    sources: dict[str, str] = {}
    for file in found:
        compilation = project.compile(file)
        diagnostics |= dict.fromkeys(compilation.diagnostics)
        sources |= compilation.sources
    ordered = sorted(diagnostics, key=lambda d: (d.span, d.code))
    if style == "json":
        print(render_json(ordered, len(found)))  # noqa: T201  # a command's result
    else:
        text = render_text(ordered, sources, color=wants_color(sys.stdout, project.config))
        closing = "" if quiet else summary(ordered, len(found))
        print("\n".join(part for part in (text, closing) if part))  # noqa: T201  # a command's result
    failing = ("error", "warning") if strict else ("error",)
    return 1 if any(d.severity in failing for d in ordered) else 0


def _all(project: Project) -> Iterator[str]:
    base = (project.root or project.directory) / ".gump"
    for folder in ("workflows", "validators"):
        for path in sorted((base / folder).glob("*")) if (base / folder).is_dir() else ():
            if path.suffix in SUFFIXES:
                yield str(path)


def _find(name: str, project: Project, stdin_name: str) -> Found | None:
    if name == STDIN:
        return Found(stdin_name, project.directory / stdin_name, sys.stdin.buffer.read())
    return project.library.find(name)


def _known(project: Project) -> str:
    names = [name for name, _ in project.library.names()]
    return f"known workflows: {', '.join(names)}; a path ends in .yaml or .yml"
