"""Time a run in which nothing is to be done: 100 steps in a row, each with a gate, all of them known.

The whole process is what people wait for. Told apart: what the interpreter and the imports take of it, what one step
adds (the difference to the same run of one step), and how often it waits for the disk, counted by the kernel's tracer
where there is one. Beside it stand `git status` in the same repository and, where they are installed, make and doit;
the latter runs Python tasks and keeps what they were made of as this program does. Both are given 100 tasks in a row
that copy a file; they check two files per task where a step checks a prompt, a tree and a verdict.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from _measure import BIN, Ratio, Times, alternate, arguments, command, compiled, publish, ratio
from _repository import make_repository

STEPS = 100
FILES = 1_000
IMPORTS = "import gumpc.cli.run, gumpc.__main__"
MAKEFILE = "all: f{last}\n{rules}"
DODO = """\
def task_copy():
    for n in range(1, {steps} + 1):
        made = dict(file_dep=[f"f{{n - 1}}"], targets=[f"f{{n}}"], actions=[f"cp f{{n - 1}} f{{n}}"])
        yield dict(made, name=str(n))
"""


def main() -> int:
    """Measure and print."""
    asked = arguments(__doc__ or "", runs=11)
    with tempfile.TemporaryDirectory(prefix="gumpc-bench-") as name:
        folder = Path(name)
        environment = compiled(folder)
        root = make_repository(folder / "repository", files=FILES, chains=(1, STEPS))
        line = (sys.executable, "-m", "gumpc", "-q", "run")
        whole, single = (command(*line, f"chain-{n}.yaml", cwd=root, environment=environment) for n in (STEPS, 1))
        peers, missing = peers_here(folder, environment)
        times = alternate(
            asked.runs,
            (f"no-op run of {STEPS} steps", whole),
            ("no-op run of 1 step", single),
            ("start and imports alone", command(sys.executable, "-c", IMPORTS, cwd=root, environment=environment)),
            ("git status", command("git", "status", "--porcelain", cwd=root)),
            *peers,
            warm_up=2,
        )
        notes = [per_step(times[0], times[1]), *missing, waits(root, line, environment)]
        publish(f"Nothing to do: {STEPS} known steps, {FILES:,} files", folder, times, compared(times), notes)
    return 0


def per_step(whole: Times, single: Times) -> str:
    """What each further step adds."""
    added = sorted((a - b) / (STEPS - 1) for a, b in zip(whole.taken, single.taken, strict=True))
    return f"each further step: {added[len(added) // 2]:.2f} ms (pairs {added[0]:.2f} to {added[-1]:.2f})"


def compared(times: tuple[Times, ...]) -> list[Ratio]:
    """The whole run beside each of the others that does something alike."""
    return [ratio(f"no-op run / {other.name}", times[0], other) for other in times[3:]]


def peers_here(folder: Path, environment: dict[str, str]) -> tuple[list[tuple[str, Callable[[], None]]], list[str]]:
    """Calls of the programs that are installed, and a line for each that is not."""
    calls, missing = [], []
    for name in ("doit", "make"):
        program = BIN / name if (BIN / name).exists() else shutil.which(name)
        if program is None:
            missing.append(f"{name}: not installed, not measured")
            continue
        place = folder / name
        place.mkdir()
        (place / "f0").write_text("start\n", "utf-8")
        rules = "".join(f"f{n}: f{n - 1}\n\tcp f{n - 1} f{n}\n" for n in range(1, STEPS + 1))
        (place / "Makefile").write_text(MAKEFILE.format(last=STEPS, rules=rules), "utf-8")
        (place / "dodo.py").write_text(DODO.format(steps=STEPS), "utf-8")
        calls.append((f"{name}, {STEPS} tasks", command(program, cwd=place, environment=environment)))
    return calls, missing


def waits(root: Path, line: tuple[str, ...], environment: dict[str, str]) -> str:
    """How often a no-op run waits for the disk."""
    if shutil.which("strace") is None:
        return "waits for the disk: not counted, strace is not installed"
    traced = ("strace", "-f", "-qq", "-e", "trace=fsync,fdatasync,sync_file_range", *line)
    counts = []
    for steps in (1, STEPS):
        words = (*traced, f"chain-{steps}.yaml")
        done = subprocess.run(words, cwd=root, env=environment, capture_output=True, text=True, check=True)
        counts.append(sum("sync(" in called for called in done.stderr.splitlines()))
    return f"waits for the disk (fsync, fdatasync): {counts[0]} in a no-op run of 1 step, {counts[1]} in one of {STEPS}"


if __name__ == "__main__":
    sys.exit(main())
