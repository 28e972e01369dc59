"""Time one cycle of a slot, in this process: go to the tree that is there, edit one file, take the snapshot.

This is the part of a step's cost that grows with the repository (`bench_step` times the whole). Beside it stands what
git does for the same change in a worktree of its own: `git status`, then `git add -A` and `git write-tree`. What makes
the slot, once per repository, is told apart.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

from _measure import Times, elapsed, publish, ratio
from _repository import git, make_repository

from runtime.repository import Repository
from runtime.workspace import Slot

SIZES = (1_000, 20_000)


def main() -> int:
    """Measure each size and print one table for all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="figures for programs")
    parser.add_argument("--runs", type=int, default=15, help="cycles per size (15)")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where to make repositories")
    asked = parser.parse_args()
    times: list[Times] = []
    ratios = []
    for files in SIZES:
        with tempfile.TemporaryDirectory(dir=asked.folder, prefix="gumpc-bench-") as name:
            cycle, by_git, *others = measure(Path(name), files, asked.runs)
        times += (cycle, by_git, *others)
        ratios.append(ratio(f"{files:,} files, cycle / git", cycle, by_git))
    publish("One cycle of a slot: goto, one edit, snapshot", asked.folder, times, ratios)
    return 0


def measure(folder: Path, files: int, runs: int) -> tuple[Times, ...]:
    """The cycle, what git takes for the same, the cycle's two halves, and the first `goto`."""
    repository = Repository.discover(make_repository(folder / "repository", files=files, chains=()))
    git("worktree", "add", "-q", "--detach", str(folder / "plain"), cwd=repository.root)
    head = repository.head()
    tree = head.tree
    goto, snapshot, by_git = [], [], []
    with Slot.acquire(repository, "bench") as slot:
        first = elapsed(partial(slot.goto, tree, commit=head.commit))
        for number in range(runs):
            goto.append(elapsed(partial(slot.goto, tree, commit=head.commit)))
            edit(slot.path, number)
            snapshot.append(elapsed(lambda: slot.snapshot(base=head.tree)))
            tree = slot.snapshot(base=head.tree)
            slot.goto(tree, commit=head.commit)  # It is known to be there; the next one looks.
            edit(folder / "plain", number)
            by_git.append(elapsed(lambda: plain_git(folder / "plain")))
    cycle = tuple(map(sum, zip(goto, snapshot, strict=True)))
    named = (("cycle", cycle), ("git", by_git), ("goto", goto), ("snapshot", snapshot), ("first goto", [first]))
    return tuple(Times(f"{files:,} files: {name}", tuple(taken)) for name, taken in named)


def edit(folder: Path, number: int) -> None:
    """What an agent does at least."""
    (folder / "part0000" / "file01.txt").write_text(f"edit {number}\n", "utf-8")


def plain_git(folder: Path) -> None:
    """The commands for what `goto` and `snapshot` make sure of."""
    git("status", "--porcelain", cwd=folder)
    git("add", "-A", cwd=folder)
    git("write-tree", cwd=folder)


if __name__ == "__main__":
    sys.exit(main())
