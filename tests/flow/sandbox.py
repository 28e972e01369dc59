"""A repository in which tests use `gumpc` as people do, with an offline agent whose calls are counted outside of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.unit.git_cli import ENVIRONMENT, commit, git, new_repository, write

Action = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


@dataclass(slots=True)
class Sandbox:
    """`base` holds the repository, a home, the agent's script and what is counted."""

    base: Path
    rules: list[dict[str, Any]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def repo(self) -> Path:
        return self.base / "repo"

    @classmethod
    def create(cls, base: Path, **files: str) -> Sandbox:
        sandbox = cls(base)
        (base / "home").mkdir()
        new_repository(sandbox.repo, {"README.md": "hello\n", "spec.md": "the spec\n", **files})
        sandbox.environment = {
            **{name: value for name, value in ENVIRONMENT.items() if not name.startswith("GUMP")},
            "HOME": str(base / "home"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "GUMP_OFFLINE_SCRIPT": str(base / "offline.json"),
            "COUNTED": str(base / "counted"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return sandbox

    def rule(self, name: str, *actions: Action, when: list[str] | None = None, **keys: Any) -> None:
        """Let the agent do `actions` when its prompt holds `name` (or `when`), and count the call under that name."""
        counted = {"run": f"echo {name.split(maxsplit=1)[0]} >> $COUNTED"}
        self.rules.append({"when": when or [name], "do": [counted, *actions], **keys})
        (self.base / "offline.json").write_text(json.dumps({"rules": self.rules}))

    def workflow(self, text: str, name: str = "wf.yaml") -> None:
        """Write the workflow; it is an own file, so it need not be committed."""
        write(self.repo, {name: text})

    def write(self, **files: str) -> None:
        write(self.repo, {name.replace("__", "/").replace("_dot_", "."): text for name, text in files.items()})

    def commit(self, files: dict[str, str]) -> None:
        write(self.repo, dict(files))
        git(self.repo, "add", "-A")
        git(self.repo, "commit", "-q", "--allow-empty", "-m", "more")

    def git(self, *words: str) -> str:
        return git(self.repo, *words)

    def gumpc(self, *words: str, code: int | None = None, cwd: Path | None = None) -> Done:
        """Run a command to its end; with `code`, that must be how it ends."""
        ended = subprocess.run(
            [sys.executable, "-m", "gumpc", *words],
            cwd=cwd or self.repo,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert code in (None, ended.returncode), f"exit {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        assert "Traceback" not in ended.stderr, ended.stderr
        return Done(ended.returncode, ended.stdout, ended.stderr)

    def run(self, *words: str, code: int = 0) -> Counter[str]:
        """Run the workflow; what was counted meanwhile."""
        before = self.counted()
        self.gumpc("run", "wf.yaml", "--spec", "spec.md", *words, code=code)
        return self.counted() - before

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command and leave it running."""
        return subprocess.Popen(
            [sys.executable, "-m", "gumpc", *words],
            cwd=self.repo,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def counted(self) -> Counter[str]:
        """How often each name was counted so far."""
        path = self.base / "counted"
        return Counter(path.read_text().split()) if path.exists() else Counter()

    def latest(self) -> Path:
        """The folder of the latest run."""
        return max(path for path in (self.repo / ".gump/runs").iterdir() if path.is_dir())

    def events(self, *types: str) -> list[dict[str, Any]]:
        """The ledger of the latest run; only events of `types` if any are given."""
        lines = (self.latest() / "manifest.ndjson").read_text().splitlines()
        return [event for line in lines if (event := json.loads(line))["type"] in types or not types]

    def state(self) -> dict[str, str]:
        state: dict[str, str] = json.loads((self.latest() / "state.json").read_text())
        return state

    def result(self, path: str) -> str | None:
        """A file of the tree that the latest run came to."""
        tree = self.events("run_completed")[-1]["tree"]
        found = git(self.repo, "ls-tree", tree, "--", path)
        return git(self.repo, "cat-file", "-p", found.split()[2]) if found else None

    def prompt(self, step: str, attempt: int = 1) -> str:
        return (self.latest() / "artifacts" / step / f"attempt-{attempt}" / "prompt.md").read_text()

    def survivors(self) -> list[str]:
        """The processes, besides zombies, that carry this sandbox's mark in their environment."""
        mark = f"COUNTED={self.base / 'counted'}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return found


def wait_until(holds: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait for something to be true; fails when it is not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited for too long"
        time.sleep(0.01)


def stop(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """Send a signal and wait for the end; the exit code and standard error."""
    process.send_signal(number)
    _, stderr = process.communicate(timeout=20)
    return process.returncode, stderr


__all__ = ["Done", "Sandbox", "commit", "stop", "wait_until"]
