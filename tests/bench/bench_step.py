"""Time the runtime's own cost per step beside the four git commands that would do the same by hand.

An agent and a gate that do next to nothing leave only what the runtime adds: key, worktree, two processes, snapshot,
ledger, cache. A run of 1 + K steps less a run of one step, by K, is the cost of a step without that of a run. The plain
sequence is `git worktree add`, `git add -A`, `git commit`, `git worktree remove` with one changed file. Nothing is
subtracted from ours; what starting the two processes costs by itself is told apart. The first run in a repository,
which makes the worktree, is told apart too.

Repositories are made in memory where the machine has `/dev/shm`: a disk that is slow to make files (13 s for
`git worktree add` of 20,000 on one ext4) makes the ratio ten times smaller and says nothing about us.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from _measure import Ratio, Times, command, compiled, elapsed, publish, ratio
from _repository import git, make_repository

SIZES = (20, 1_000, 20_000)
MORE = 10
IN_MEMORY = Path("/dev/shm")
FOLDER = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else Path(tempfile.gettempdir())
TARGET = 0.3


def main() -> int:
    """Measure each size and print one table for all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="figures for programs")
    parser.add_argument("--runs", type=int, default=5, help="pairs per size (5)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"where to make repositories ({FOLDER})")
    asked = parser.parse_args()
    times: list[Times] = []
    ratios: list[Ratio] = []
    for files in SIZES:
        with tempfile.TemporaryDirectory(dir=asked.folder, prefix="gumpc-bench-") as name:
            ours, theirs, *others = measure(Path(name), files, asked.runs)
        times += (ours, theirs, *others)
        target = TARGET if files == max(SIZES) else None
        ratios.append(ratio(f"{files:,} files, step / plain sequence", ours, theirs, target=target))
    times.append(Times("starting two trivial processes", tuple(elapsed(two_processes) for _ in range(21))))
    publish(f"One step: (run of {1 + MORE} steps − run of 1 step) / {MORE}", asked.folder, times, ratios)
    return 0


def measure(folder: Path, files: int, runs: int) -> tuple[Times, ...]:
    """The cost of a step, of the plain sequence, of a run of one step, and of the first such run in a repository."""
    root = make_repository(folder / "repository", files=files, chains=(1, 1 + MORE))
    short, long = (gumpc_run(root, folder, f"chain-{steps}.yaml") for steps in (1, 1 + MORE))
    gumpc_run(make_repository(folder / "warm-up", files=1, chains=(1,)), folder, "chain-1.yaml")()
    first = elapsed(short)
    long()
    step, plain, run = [], [], []
    for _ in range(runs):
        whole = elapsed(long)
        run.append(elapsed(short))
        step.append((whole - run[-1]) / MORE)
        plain.append(plain_sequence(root, folder / "plain"))
    named = (("step", step), ("plain sequence", plain), ("run of one step", run), ("first run of one step", [first]))
    return tuple(Times(f"{files:,} files: {name}", tuple(taken)) for name, taken in named)


def gumpc_run(root: Path, folder: Path, workflow: str) -> Callable[[], None]:
    """A call that runs a workflow whatever is stored."""
    line = (sys.executable, "-m", "gumpc", "-q", "run", workflow, "--force")
    return command(*line, cwd=root, environment=compiled(folder))


def plain_sequence(root: Path, worktree: Path) -> float:
    """How long the four commands take; the change between the first and the second is not counted."""
    added = elapsed(lambda: git("worktree", "add", "-q", "--detach", str(worktree), cwd=root))
    with open(worktree / "changed.txt", "a", encoding="utf-8") as file:
        file.write("one line more\n")

    def rest() -> None:
        git("add", "-A", cwd=worktree)
        git("commit", "-qm", "step", cwd=worktree)
        git("worktree", "remove", "--force", str(worktree), cwd=root)

    return added + elapsed(rest)


def two_processes() -> None:
    """What an agent and a gate cost at least."""
    for _ in range(2):
        subprocess.run(["/bin/sh", "-c", ":"], check=True)


if __name__ == "__main__":
    sys.exit(main())
