"""The real git program, for tests to make repositories and to check results with; nothing in the product calls it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@example.org",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@example.org",
    "LC_ALL": "C.UTF-8",
}


def git(folder: Path, *arguments: str, stdin: bytes = b"", check: bool = True) -> str:
    """Standard output of a git command, without the last line end."""
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=folder, input=stdin, capture_output=True, env=ENVIRONMENT, check=False)
    if check and done.returncode:
        raise AssertionError(f"{command} failed: {os.fsdecode(done.stderr)}")
    return os.fsdecode(done.stdout).removesuffix("\n")


def new_repository(folder: Path, files: dict[str, str | bytes] | None = None) -> Path:
    """A repository on branch `main` with one commit of `files`."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    write(folder, {"README.md": "hello\n"} if files is None else files)
    commit(folder, "first")
    return folder


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def commit(folder: Path, message: str = "more") -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def tree_of_files(folder: Path, revision: str = "HEAD") -> str:
    """What `git add -A && git write-tree` makes of `folder`, which is a repository of its own."""
    git(folder, "read-tree", revision)
    git(folder, "add", "-A")
    return git(folder, "write-tree")
