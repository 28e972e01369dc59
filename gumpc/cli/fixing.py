"""`gumpc check --fix`: machine-applicable fixes applied to files, or shown as a difference, and what remains.

Only files that were named are written, and files that those call inside of the project's folder. A file is compiled
again after each round of fixes, since one may make way for another, until nothing changes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from io import StringIO
from pathlib import Path

from gumpc.cli.checking import STDIN, Options, gather, report
from gumpc.cli.console import NOT_STARTED, fail, say
from gumpc.cli.project import Project
from gumpc.diagnostics import Diagnostic
from gumpc.fixing import apply_fixes
from gumpc.library import BUILTIN, SUFFIXES, Found

MAX_ROUNDS = 50
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Fixed:
    """A file, what it holds after its fixes, and the faults that they repaired."""

    found: Found
    raw: bytes
    faults: tuple[Diagnostic, ...]


def fix_paths(names: tuple[str, ...], options: Options, *, preview: bool) -> int:
    """Fix the named files and say what remains; with `preview` show the changes and write nothing.

    Standard output carries the difference of a preview, or the text of a file that was read from standard input; the
    rest is then told on standard error. The exit code is that of a check of what is there afterwards.
    """
    gathered = gather(names, options.stdin_name)
    if isinstance(gathered, int):
        return gathered
    project, found = gathered
    stdin = found[names.index(STDIN)] if STDIN in names else None
    fixed = tuple(_fix_all(found, stdin, project, options))
    if preview:
        return _preview(found, fixed, project, options)
    for file in fixed:
        if file.faults and file.found is not stdin and not _write(file):
            return NOT_STARTED
        _tell("fixed", file, options)
    if stdin is not None:
        sys.stdout.buffer.write(next(file.raw for file in fixed if file.found is stdin))
        sys.stdout.flush()
    remaining = [_after(file, fixed) for file in found]
    return report(remaining, project, options, sys.stdout if stdin is None else sys.stderr)


def _preview(found: list[Found], fixed: tuple[Fixed, ...], project: Project, options: Options) -> int:
    """Show what would change; the exit code is that of the files as they are."""
    for file in fixed:
        sys.stdout.write(_difference(file) if file.faults else "")
        _tell("would fix", file, options)
    sys.stdout.flush()
    remains = report([_after(file, fixed) for file in found], project, options, sys.stderr)
    repaired = any(fault.severity in options.failing for file in fixed for fault in file.faults)
    return 1 if repaired else remains


def _fix_all(found: list[Found], stdin: Found | None, project: Project, options: Options) -> Iterator[Fixed]:
    """Each file that may be written, after its fixes; standard input stands for the file whose name it has."""
    waiting: dict[Path, Found] = {}
    for file in [stdin, *found] if stdin else found:
        if file.path is not None:
            waiting.setdefault(_identity(file), file)
    done: set[Path] = set()
    while new := [identity for identity in waiting if identity not in done]:
        done.add(new[0])
        fixed, others = _fix(waiting[new[0]], project, options)
        yield fixed
        for name in sorted(others):
            if called := _called(name, project):
                waiting.setdefault(_identity(called), called)


def _fix(file: Found, project: Project, options: Options) -> tuple[Fixed, set[str]]:
    """A file after its fixes, and the names of other files that have fixes too."""
    raw = file.raw
    faults: list[Diagnostic] = []
    others: set[str] = set()
    for _ in range(MAX_ROUNDS):
        compilation = project.compile(Found(file.name, file.path, raw))
        fixable = [d for d in compilation.diagnostics if d.fix and options.wants(d.code)]
        others |= {d.span.file for d in fixable} - {file.name}
        own = [d for d in fixable if d.span.file == file.name]
        text, applied = apply_fixes(file.name, compilation.sources.get(file.name, ""), own)
        if not applied:
            break
        raw = (_BOM if raw.startswith(_BOM) else b"") + text.encode("utf-8")
        faults += applied
    return Fixed(file, raw, tuple(faults)), others


def _called(name: str, project: Project) -> Found | None:
    """The called file that is shown as `name`; None for a built-in and for a file outside of the project's folder."""
    if name.startswith(BUILTIN) or not name.endswith(SUFFIXES):
        return None
    folder, path = (project.root or project.directory).resolve(), (project.directory / name).resolve()
    try:
        return Found(name, path, path.read_bytes()) if path.is_relative_to(folder) else None
    except OSError:
        return None


def _identity(file: Found) -> Path:
    return file.path.resolve() if file.path else Path(file.name)


def _after(file: Found, fixed: tuple[Fixed, ...]) -> Found:
    raw = next((f.raw for f in fixed if _identity(f.found) == _identity(file)), file.raw)
    return Found(file.name, file.path, raw)


def _write(file: Fixed) -> bool:
    from runtime.files import write_atomic  # what `check` loads holds nothing of the runtime

    path = file.found.path
    if path is None:
        return False
    path = path.resolve()
    try:
        if path.read_bytes() != file.found.raw:
            fail(f"{file.found.name} was changed meanwhile and is left as it is", started=True)
            return False
        mode = path.stat().st_mode & 0o7777
        write_atomic(path, file.raw)
        path.chmod(mode)
    except OSError as error:
        fail(f"{file.found.name} cannot be written: {error.strerror}", started=True)
        return False
    return True


def _difference(file: Fixed) -> str:
    old, new = (list(StringIO(raw.decode("utf-8"), newline="\n")) for raw in (file.found.raw, file.raw))
    name = file.found.name
    lines = unified_diff(old, new, f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _tell(done: str, file: Fixed, options: Options) -> None:
    count = len(file.faults)
    if count and not options.quiet:
        say(f"{done} {count} {'fault' if count == 1 else 'faults'} in {file.found.name}")
