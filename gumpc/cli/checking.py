"""`gumpc check`: compile the named workflows, or all of the project's, and say what is wrong with them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from gumpc.cli.console import fail, wants_color
from gumpc.cli.project import Project, find_project
from gumpc.config import ConfigError
from gumpc.diagnostics import Diagnostic
from gumpc.library import BUILTIN, SUFFIXES, Found
from gumpc.render import render_json, render_text, summary

STDIN = "-"


class Options(NamedTuple):
    """How to check and to tell; `select` and `ignore` hold codes or beginnings of codes."""

    style: str = "text"
    strict: bool = False
    stdin_name: str = "<stdin>"
    quiet: bool = False
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    @property
    def failing(self) -> tuple[str, ...]:
        """The severities that make the check fail."""
        return ("error", "warning") if self.strict else ("error",)

    def wants(self, code: str) -> bool:
        """True for a code that is to be told."""
        return (not self.select or code.startswith(self.select)) and not (self.ignore and code.startswith(self.ignore))


DEFAULTS = Options()


def check_paths(names: tuple[str, ...], options: Options = DEFAULTS) -> int:
    """Check and print; the exit code is 0 without errors, 1 with, 2 when there was nothing to check."""
    gathered = gather(names, options.stdin_name)
    if isinstance(gathered, int):
        return gathered
    project, found = gathered
    return report(found, project, options, sys.stdout)


def gather(names: tuple[str, ...], stdin_name: str) -> tuple[Project, list[Found]] | int:
    """The project, and the file of each name in order; an exit code, and a word about it, when one is not there."""
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
    return project, found


def report(found: list[Found], project: Project, options: Options, stream: TextIO) -> int:
    """Compile and print to `stream`; the exit code, which is the same in every format."""
    diagnostics: dict[Diagnostic, None] = {}
    sources: dict[str, str] = {}
    for file in found:
        compilation = project.compile(file)
        diagnostics |= dict.fromkeys(compilation.diagnostics)
        sources |= compilation.sources
    told = (d for d in diagnostics if options.wants(d.code))
    ordered = tuple(sorted(told, key=lambda d: (d.span, d.code)))
    if options.style == "json":
        text = render_json(ordered, len(found))
    elif options.style == "text":
        text = render_text(ordered, sources, color=wants_color(stream, project.config))
        closing = "" if options.quiet else summary(ordered, len(found)) + "\n"
        text = "\n".join(part for part in (text, closing) if part)
    else:
        text = _for_ci(ordered, sources, found, project, options)
    stream.write(text)
    return 1 if any(d.severity in options.failing for d in ordered) else 0


def _for_ci(
    diagnostics: tuple[Diagnostic, ...],
    sources: dict[str, str],
    found: list[Found],
    project: Project,
    options: Options,
) -> str:
    from importlib import import_module

    from gumpc.formats import Findings

    names = tuple(dict.fromkeys(file.name for file in found))
    findings = Findings(diagnostics, sources, names, options.failing, lambda name: _path_in_repository(name, project))
    text: str = import_module(f"gumpc.formats.{options.style}").render(findings)
    return text


def _path_in_repository(name: str, project: Project) -> str:
    """A path from the repository's root for what is shown as `name`; what is no file of it stays as it is."""
    if project.root is None or name.startswith(BUILTIN) or name == DEFAULTS.stdin_name:
        return name
    path, root = (project.directory / name).resolve(), project.root.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else name


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
