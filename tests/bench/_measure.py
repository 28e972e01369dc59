"""What the benchmarks share: how long a call takes, what a set of times comes to, and where it was measured.

Two things are compared by running them in turn, A B A B, because the speed of a shared machine drifts by more within a
minute than the difference that is sought; the ratio is taken pair by pair and its median told.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Times:
    """The times of one thing, in milliseconds, in the order in which they were taken."""

    name: str
    taken: tuple[float, ...]

    def row(self) -> tuple[str, ...]:
        """The cells of a table: name, median, least, greatest, number of runs."""
        return (self.name, *(f"{ms:.1f}" for ms in (median(self.taken), min(self.taken), max(self.taken))), self.count)

    @property
    def count(self) -> str:
        """How many runs there were."""
        return str(len(self.taken))

    def encode(self) -> dict[str, object]:
        """As JSON, every time kept."""
        return {"name": self.name, "median_ms": median(self.taken), "taken_ms": self.taken}


@dataclass(frozen=True, slots=True)
class Ratio:
    """How a compares with b, pair by pair, and what was aimed at (None when nothing was)."""

    name: str
    pairs: tuple[float, ...]
    target: float | None = None

    @property
    def holds(self) -> bool:
        """True when the median ratio is within the target."""
        return self.target is None or median(self.pairs) <= self.target

    def line(self) -> str:
        """One sentence for people."""
        spread = f"ratio {median(self.pairs):.2f} (pairs {min(self.pairs):.2f} to {max(self.pairs):.2f})"
        aim = "" if self.target is None else f"; target ≤ {self.target}: {'holds' if self.holds else 'MISSED'}"
        return f"{self.name}: {spread}{aim}"

    def encode(self) -> dict[str, object]:
        """As JSON."""
        return {
            "name": self.name,
            "median": median(self.pairs),
            "pairs": self.pairs,
            "target": self.target,
            "holds": self.holds,
        }


def elapsed(call: Callable[[], object]) -> float:
    """How long a call takes, in milliseconds."""
    before = time.perf_counter()
    call()
    return (time.perf_counter() - before) * 1000


def alternate(runs: int, *calls: tuple[str, Callable[[], object]], warm_up: int = 1) -> tuple[Times, ...]:
    """Time each call `runs` times, in turn, after `warm_up` rounds that do not count."""
    taken: dict[str, list[float]] = {name: [] for name, _ in calls}
    for number in range(runs + warm_up):
        for name, call in calls:
            ms = elapsed(call)
            if number >= warm_up:
                taken[name].append(ms)
    return tuple(Times(name, tuple(taken[name])) for name, _ in calls)


def ratio(name: str, ours: Times, theirs: Times, *, target: float | None = None) -> Ratio:
    """Ours over theirs, pair by pair."""
    return Ratio(name, tuple(a / b for a, b in zip(ours.taken, theirs.taken, strict=True)), target)


def command(*words: str | Path, cwd: Path, environment: dict[str, str] | None = None) -> Callable[[], None]:
    """A call that runs a program to its end and refuses to go on when it fails."""
    line = [str(word) for word in words]

    def run() -> None:
        done = subprocess.run(line, cwd=cwd, env=environment, capture_output=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(line)}: exit {done.returncode}\n{(done.stdout + done.stderr).decode()}")

    return run


def compiled(folder: Path) -> dict[str, str]:
    """The environment in which Python keeps bytecode below `folder`, as installed programs have theirs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "NO_COLOR": "1"}


def machine(folder: Path) -> str:
    """Where a measurement was made: processors, versions, and the file system of `folder`."""
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    listed = subprocess.run(["df", "--output=fstype", folder], capture_output=True, text=True, check=True).stdout
    kind = listed.split()[-1]
    return (
        f"{os.cpu_count()} CPUs, {platform.system()} {platform.release()}, "
        f"{platform.python_implementation()} {platform.python_version()}, git {git}, {kind}"
    )


def table(times: Sequence[Times]) -> str:
    """The times as aligned columns, in milliseconds."""
    rows = [("", "median ms", "min", "max", "runs"), *(t.row() for t in times)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join([name.ljust(widths[0]), *map(str.rjust, cells, widths[1:])]) for name, *cells in rows)


def publish(
    title: str, folder: Path, times: Sequence[Times], ratios: Sequence[Ratio], notes: Sequence[str] = ()
) -> None:
    """Print what was measured, for people or, with `--json`, for programs."""
    if "--json" in sys.argv[1:]:
        content = {"title": title, "machine": machine(folder), "times": [t.encode() for t in times]}
        print(json.dumps({**content, "ratios": [r.encode() for r in ratios], "notes": list(notes)}))
        return
    print(f"{title}\n{machine(folder)}\n\n{table(times)}")
    for line in (*(r.line() for r in ratios), *notes):
        print(line)
    print()


def arguments(description: str, *, runs: int) -> argparse.Namespace:
    """`--json` and `--runs N`, which every benchmark takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="figures for programs")
    parser.add_argument("--runs", type=int, default=runs, help=f"how often each thing is timed ({runs})")
    return parser.parse_args()
