"""A sandbox for pages and examples: a home and an identity of its own, and the commands of a page typed into it.

A page's commands stand in ```console blocks, as a person sees them: `$ ` before a command, what it prints below. The
exit code is 0 unless `# exit N` follows the command. Each line shown must come out, in that order, but lines may be
left out, `…` stands for anything within a line, and spaces are counted as one. A block that follows a line ending with
"as `PATH`:" is a file that the reader saves.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BINARIES = Path(sys.executable).parent
_BLOCK = re.compile(
    r"(?:as `(?P<path>[^`\n]+)`:\n\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_EXIT = re.compile(r"\s+# exit (\d+)$")


@dataclass(frozen=True, slots=True)
class File:
    """What the reader saves at `path`."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Typed:
    """A command, the exit code that it must have, and the lines shown below it."""

    command: str
    code: int
    shown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended, and all it printed."""

    code: int
    output: str


def read_page(path: Path) -> Iterator[File | Typed]:
    """What a page has its reader do, in order."""
    for found in _BLOCK.finditer(path.read_text("utf-8")):
        if found["language"] == "console":
            yield from _commands(found["text"])
        elif found["path"]:
            yield File(found["path"], found["text"])


def _commands(text: str) -> Iterator[Typed]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        code = _EXIT.search(command)
        kept = tuple(line for line in shown if line.strip(" …"))
        yield Typed(_EXIT.sub("", command), int(code[1]) if code else 0, kept)


class Sandbox:
    """A home, and a working folder that `cd` changes."""

    def __init__(self, root: Path) -> None:
        home = root / "home"
        home.mkdir()
        (home / ".gitconfig").write_text(
            "[user]\n\tname = Test\n\temail = test@example.org\n[init]\n\tdefaultBranch = main\n"
        )
        self.folder = root
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "GUMP_", "XDG_"))},
            "HOME": str(home),
            "PATH": f"{BINARIES}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "200",
        }

    def run(self, command: str) -> Result:
        """Type a command; standard output and standard error come out as one, as on a terminal."""
        where = self.folder / ".cwd"
        done = subprocess.run(
            ["bash", "-c", f"trap 'pwd > \"{where}\"' EXIT\n{command}"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.folder = Path(where.read_text("utf-8").strip())
        where.unlink()
        return Result(done.returncode, done.stdout)

    def follow(self, page: Path) -> list[str]:
        """Do all that a page says; the commands that were typed. An AssertionError tells what was otherwise."""
        typed = []
        for item in read_page(page):
            if isinstance(item, File):
                target = self.folder / item.path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(item.text, "utf-8")
                continue
            typed.append(item.command)
            result = self.run(item.command)
            assert result.code == item.code, f"$ {item.command}\nexit code {result.code}\n{result.output}"
            missing = _first_missing(item.shown, result.output)
            assert missing is None, f"$ {item.command}\nis not printed: {missing}\n{result.output}"
        return typed


def _first_missing(shown: tuple[str, ...], output: str) -> str | None:
    """The first line that does not come out after those before it."""
    text = _spaced(output)
    position = 0
    for line in shown:
        pattern = r"[^\n]*?".join(re.escape(part) for part in _spaced(line).split("…"))
        found = re.compile(f"^{pattern}$", re.MULTILINE).search(text, position)
        if found is None:
            return line
        position = found.end()
    return None


def _spaced(text: str) -> str:
    return "\n".join(" ".join(line.split()) for line in text.splitlines())
