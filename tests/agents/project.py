"""A git repository with its own home, in which tests use `gumpc` as people do: the command line, and what it leaves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

USER = "A. User <user@example.org>"


@dataclass(frozen=True, slots=True)
class Project:
    """`base` holds the repository and the home; `environment` is the whole of it for every command."""

    base: Path
    environment: Mapping[str, str]

    @classmethod
    def create(cls, base: Path, files: Mapping[str, str], *, claude: Path | None, url: str) -> Project:
        """A repository with `files` in one commit; `claude` is the CLI, None for not installed, `url` its model's."""
        project = cls(base, environment(base, claude=claude, url=url))
        (base / "home").mkdir(parents=True)
        for name, text in files.items():
            project.write(name, text)
        project.git("init", "-q", "-b", "main")
        project.git("config", "user.name", "A. User")
        project.git("config", "user.email", "user@example.org")
        project.commit()
        return project

    def save(self) -> Path:
        """Copy the repository and its home, to go back to; returns where the copy is."""
        saved = self.base.with_name(f"{self.base.name}-saved")
        shutil.copytree(self.base, saved, symlinks=True)
        return saved

    def restored(self, saved: Path, *, url: str) -> Project:
        """The project as it was, in the same place since sessions are bound to it, asking the model at `url`."""
        shutil.rmtree(self.base)
        shutil.copytree(saved, self.base, symlinks=True)
        return replace(self, environment={**self.environment, "ANTHROPIC_BASE_URL": url})

    @property
    def path(self) -> Path:
        return self.base / "repo"

    @property
    def worktrees(self) -> Path:
        return self.path / ".gump" / "worktrees"

    def write(self, name: str, text: str) -> None:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def git(self, *words: str) -> str:
        argv = ["git", *words]
        return subprocess.run(
            argv, cwd=self.path, env=self.environment, check=True, capture_output=True, text=True
        ).stdout

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "start")

    def gumpc(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, which must be with `code`."""
        argv = [sys.executable, "-m", "gumpc", *words]
        done = subprocess.run(
            argv, cwd=self.path, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command and leave it running."""
        argv = [sys.executable, "-m", "gumpc", *words]
        return subprocess.Popen(
            argv, cwd=self.path, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.gumpc("report", "--json").stdout)
        return report

    def events(self, *types: str) -> list[dict[str, Any]]:
        """The ledger of the latest run; only events of `types` if any are given."""
        runs = sorted(path for path in (self.path / ".gump/runs").iterdir() if path.is_dir())
        events = [json.loads(line) for line in (runs[-1] / "manifest.ndjson").read_text().splitlines()]
        return [event for event in events if not types or event["type"] in types]

    def steps(self, *types: str) -> list[str]:
        """The steps that events of `types` in the latest run are about, in order."""
        return [event["step"] for event in self.events(*types)]

    def calls(self) -> Counter[str]:
        """How often each step's agent was launched in the latest run."""
        return Counter(self.steps("agent_launched"))


def environment(base: Path, *, claude: Path | None, url: str) -> dict[str, str]:
    """The whole environment of a user: an empty home, a key that opens nothing, one retry, no CLI but `claude`."""
    folders = [str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]
    others = [folder for folder in folders if not Path(folder, "claude").exists()]
    return {
        "PATH": os.pathsep.join([str(claude.parent), *others] if claude else others),
        "HOME": str(base / "home"),
        "LANG": "C.UTF-8",
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "dummy",
        "CLAUDE_CODE_MAX_RETRIES": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def processes_below(folder: Path) -> Iterator[tuple[int, str]]:
    """The processes that work in `folder` or deeper: ids and command lines."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                directory = Path(os.readlink(entry / "cwd"))
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if directory.is_relative_to(folder) and command:
                yield int(entry.name), command


def texts(messages: Sequence[Mapping[str, Any]]) -> str:
    """A conversation as one text, to look for what was said in it."""
    return json.dumps(messages, ensure_ascii=False)
