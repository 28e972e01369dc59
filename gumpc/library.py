"""Where workflows are found: a path, the project's folder, the user's folder, then what comes with gumpc.

Names are looked up in that order, so a project can replace a built-in by a file of the same name. A path that leaves
the repository is never read. Built-in workflows are shown as `builtin:NAME`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (".yaml", ".yml")
BUILTIN = "builtin:"

# Beside this file, because `importlib.resources` costs `check` 6 ms and a workflow's path must be a file's anyway.
_BUILTIN_FOLDER = Path(__file__).parent / "builtin"


@dataclass(frozen=True, slots=True)
class Found:
    """A workflow file: `name` as people know it, `path` on disk (None for a built-in), and its bytes."""

    name: str
    path: Path | None
    raw: bytes


class OutsideRepository(Exception):
    """A path leads out of the repository."""


@dataclass(frozen=True, slots=True)
class Library:
    """The workflows that can be named. `root` is the repository, `home` the user's home; either may be None."""

    root: Path | None
    home: Path | None
    shown_from: Path

    def find(self, name: str, *, caller: Path | None = None) -> Found | None:
        """The workflow called `name`; raises OutsideRepository for a path that leads out of the repository."""
        if name.endswith(SUFFIXES):
            return self._by_path(name, caller)
        folder, _, stem = name.rpartition("/")
        for base in self._bases() if folder in ("", "validators") else ():
            for suffix in SUFFIXES:
                if found := self._read(base / (folder or "workflows") / f"{stem}{suffix}"):
                    return found
        return _builtin(name)

    def text_file(self, path: str, *, caller: Path | None) -> Found | None:
        """A prompt file, relative to the workflow file that names it."""
        base = caller.parent if caller else (self.root or self.shown_from)
        return self._read(self._inside(base / path))

    def names(self, kind: str = "workflows") -> tuple[tuple[str, str], ...]:
        """Every `(name, source)` of `workflows` or `validators`; source is `project`, `user` or `built-in`."""
        found: dict[str, str] = {}
        for source, base in (("project", self.root), ("user", self.home)):
            for path in sorted((base / ".gump" / kind).glob("*.y*ml")) if base else ():
                found.setdefault(path.stem, source)
        for entry in _BUILTIN_FOLDER.joinpath(kind).iterdir():
            if entry.name.endswith(SUFFIXES):
                found.setdefault(entry.name.rpartition(".")[0], "built-in")
        return tuple(sorted(found.items()))

    def _bases(self) -> tuple[Path, ...]:
        return tuple(base / ".gump" for base in (self.root, self.home) if base is not None)

    def _by_path(self, name: str, caller: Path | None) -> Found | None:
        bases = [caller.parent] if caller else [self.shown_from]
        if self.root:
            bases.append(self.root)
        for base in bases:
            if found := self._read(self._inside(base / name) if caller else base / name):
                return found
        return None

    def _inside(self, path: Path) -> Path:
        try:
            resolved = path.resolve()
        except (OSError, RuntimeError, ValueError):
            return path  # a name that no file can have, or a loop of links: nothing will be found there
        if self.root and not resolved.is_relative_to(self.root.resolve()):
            raise OutsideRepository(str(path))
        return resolved

    def _read(self, path: Path) -> Found | None:
        try:
            return Found(self._shown(path), path, path.read_bytes()) if path.is_file() else None
        except (OSError, ValueError):
            return None

    def _shown(self, path: Path) -> str:
        absolute, base = path.resolve(), self.shown_from.resolve()
        return str(absolute.relative_to(base)) if absolute.is_relative_to(base) else str(path)


def _builtin(name: str) -> Found | None:
    name = name.removeprefix(BUILTIN)
    folder, _, stem = name.rpartition("/")
    if folder not in ("", "validators") or not stem.replace("-", "").replace("_", "").isalnum():
        return None
    entry = _BUILTIN_FOLDER.joinpath(folder or "workflows").joinpath(f"{stem}.yaml")
    return Found(f"{BUILTIN}{name}", None, entry.read_bytes()) if entry.is_file() else None
