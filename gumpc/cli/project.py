"""Where a command is being used: the repository's root, its configuration and its workflows."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gumpc.compiler import Compilation, compile_workflow
from gumpc.config import find
from gumpc.config_types import Config
from gumpc.library import Found, Library
from gumpc.rules.world import World

MAX_READ = 10 * 2**20


@dataclass(frozen=True, slots=True)
class Project:
    """`root` is None outside of a repository."""

    root: Path | None
    directory: Path
    config: Config
    library: Library

    def world(self) -> World:
        """What rules may look at here."""
        return World(self.config, self._reader())

    def compile(self, found: Found) -> Compilation:
        """Compile one workflow file with this project's configuration."""
        return compile_workflow(found, library=self.library, config=self.config, world=self.world())

    def _reader(self) -> Callable[[str], str | None] | None:
        root = self.root
        return None if root is None else lambda path: _read(root / path)


def find_project(directory: Path) -> Project:
    """The project around a folder; raises ConfigError for a configuration that cannot be used."""
    root = next((p for p in (directory, *directory.parents) if (p / ".git").exists()), None)
    home = Path(os.path.expanduser("~"))
    config = find(root, home, environment=os.environ)
    return Project(root, directory, config, Library(root, home, directory))


def _read(path: Path) -> str | None:
    try:
        if path.stat().st_size > MAX_READ:
            return ""
        return path.read_text("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return ""
