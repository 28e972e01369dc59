"""Repositories and workflows for benchmarks: N files in folders of twenty, and a chain of steps that each change one.

The agent is a shell with one `read` and one `echo`. What it appends is new each time: objects that git has already
would cost nothing to write.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

PER_FOLDER = 20
APPEND = "read -r x < /proc/sys/kernel/random/uuid; echo $x >> changed.txt"
CONFIG = f"""\
[agents.append]
command = ["/bin/sh", "-c", "{APPEND}"]
format = "text"
"""


def git(*words: str, cwd: Path) -> None:
    """Run git quietly, as somebody, and fail when it fails."""
    subprocess.run(
        ["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost", *words],
        cwd=cwd,
        capture_output=True,
        check=True,
    )


def chain(steps: int) -> str:
    """A workflow of code steps in a row, each with one trivial gate."""
    lines = (
        f'  - {{name: s{number}, type: code, prompt: "Do part {number}", agent: append, gate: [{{bash: "true"}}]}}\n'
        for number in range(steps)
    )
    return f"name: chain-{steps}\nsteps:\n{''.join(lines)}"


def make_repository(folder: Path, *, files: int, chains: tuple[int, ...]) -> Path:
    """A repository with one commit of so many files, a `chain-N.yaml` for each length and the agent they name."""
    folder.mkdir()
    for number in range(files):
        path = folder / f"part{number // PER_FOLDER:04}" / f"file{number % PER_FOLDER:02}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"This is line of file {number}.\n" * 12, "utf-8")
    for steps in chains:
        (folder / f"chain-{steps}.yaml").write_text(chain(steps), "utf-8")
    (folder / "gump.toml").write_text(CONFIG, "utf-8")
    git("init", "-q", cwd=folder)
    git("config", "user.name", "bench", cwd=folder)
    git("config", "user.email", "bench@localhost", cwd=folder)
    git("add", "-A", cwd=folder)
    git("commit", "-qm", "all files", cwd=folder)
    return folder
