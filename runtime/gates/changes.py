"""Judges which files a step has changed: `touched`, `untouched`, and the blast radius of a task.

It is always the step's whole change that is judged, from before its first attempt: of single attempts, a retry could
launder a forbidden change, or be blamed for a required one that was made before it.
"""

from __future__ import annotations

from gumpc.globs import check_glob, matches
from runtime.gates.tool_output import listed
from runtime.gates.verdict import Verdict

BLAST_RADIUS = "blast_radius"


def touched(name: str, globs: tuple[str, ...], changed: tuple[str, ...]) -> Verdict:
    """Pass when at least one changed file matches."""
    if any(matches(path, globs) for path in changed):
        return Verdict(name, "touched", passed=True)
    what = f"; changed: {listed(changed)}" if changed else "; nothing changed"
    return Verdict(name, "touched", passed=False, error=f"no changed file matches {listed(globs)}{what}")


def untouched(name: str, globs: tuple[str, ...], changed: tuple[str, ...]) -> Verdict:
    """Pass when no changed file matches."""
    offending = [path for path in changed if matches(path, globs)]
    if not offending:
        return Verdict(name, "untouched", passed=True)
    error = f"must stay as before the step ({listed(globs)}), but changed: {listed(offending)}"
    return Verdict(name, "untouched", passed=False, error=error)


def blast_radius(changed: tuple[str, ...], files: tuple[str, ...]) -> Verdict:
    """Pass when every changed file is one of the task's `files`, below a folder of them, or matches a glob of them.

    A task without files may change anything.
    """
    outside = [path for path in changed if files and not any(_covers(file, path) for file in files)]
    if not outside:
        return Verdict(BLAST_RADIUS, BLAST_RADIUS, passed=True)
    error = f"changed outside of the task's files ({listed(files)}): {listed(outside)}"
    return Verdict(BLAST_RADIUS, BLAST_RADIUS, passed=False, error=error)


def _covers(file: str, path: str) -> bool:
    # Names such as app/[id]/page.tsx are files first and globs second, and agents choose some that are no valid glob.
    # A name without any wildcard is no glob at all, since one without a slash would match its base name everywhere.
    if file in (".", path) or path.startswith(f"{file.rstrip('/')}/"):
        return True
    return any(wildcard in file for wildcard in "*?[") and check_glob(file) is None and matches(path, (file,))
