"""Gives agents and commands a folder with the files of a tree, and takes the tree that they leave.

A slot is a linked worktree at a stable path, since an agent's session is bound to its folder. Two git directories look
at it. The agent's is an ordinary worktree's, which `git` finds by the `.git` file: there it may add, commit, reset or
switch branches as it likes. Ours (see `checkout`) no `.git` file leads to; only it says what changed. After each `goto`
the agent's is made anew: HEAD at the commit, and a copy of our index, so that `git status` is clean and fast.
`git worktree add` was not used: it checks out through filters and hooks, and writes every file each time.

An empty slot (`worktree: none`) has a `.git` file too, which leads nowhere: without it, git would climb to the user's
repository, and an agent that commits out of habit would commit the user's work.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from runtime.checkout import Checkout, passing_checkout, remove, write_if_different
from runtime.errors import RunError
from runtime.files import LockHeld, UnreadableFile, read_limited, take_lock, write_atomic
from runtime.repository import RUNTIME_FOLDER, GitError, Repository, in_runtime_folder, metadata_lock

MAX_READ = 16 * 2**20

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LITTER = re.compile(r"(?:.*/)?__pycache__/.*|.*\.pyc|.*\.tmp\.\d+\.[0-9a-f]{8,}", re.DOTALL)
_HIDE = b"/*\n!/workflows/\n!/validators/\n"


class SlotBusy(RunError):
    """Another process works in the slot; `pid` and `run_id` say who, where that is known."""

    def __init__(self, name: str, *, pid: int | None, run_id: str) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        run = f" (run {run_id})" if run_id else ""
        super().__init__(f"the worktree `{name}` is in use by {holder}{run}", help="wait for it, or stop it")
        self.pid = pid
        self.run_id = run_id


class _Place:
    """What both kinds of slot share: a folder at a stable path, its lock, and `.gump/out`."""

    def __init__(self, repository: Repository, name: str, *, run_id: str) -> None:
        if not _NAME.fullmatch(name) or name.endswith((".", ".lock")):
            raise ValueError(f"not a name for a slot: {name!r}")
        self.name = name
        self.path = repository.root / RUNTIME_FOLDER / "worktrees" / name
        self.out = self.path / RUNTIME_FOLDER / "out"
        # Two worktrees of one repository may each have a slot of this name.
        self._unique = f"{name}-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:8]}"
        self._repository = repository
        self._private = repository.common_dir / "gumpc" / "slots" / self._unique
        self._lock: int | None = self._locked(run_id)

    @classmethod
    def acquire(cls, repository: Repository, name: str, *, run_id: str = "") -> Self:
        """Hold the slot `name`, made when there is none, until `release` or the end of this process.

        Raises:
            SlotBusy: someone else holds it.
            ValueError: `name` is no plain file name.
        """
        return cls(repository, name, run_id=run_id)

    def release(self) -> None:
        """Let others have it. The files stay."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def clear_out(self) -> None:
        """Make `.gump/out` an empty folder, whatever it was."""
        _real_folder(self.out.parent)
        with _told(self.out):
            remove(self.out)
            self.out.mkdir()

    def occupy(self, who: str) -> None:
        """Note durably whose work the files are from now on."""
        write_atomic(self._private / "occupant", who.encode())

    def occupant(self) -> str:
        """Whose work the files are; empty when nobody has said."""
        try:
            return (self._private / "occupant").read_text("utf-8")
        except FileNotFoundError:
            return ""

    def read(self, path: str) -> bytes | None:
        """The content of a file in the slot, by its path from there; None when there is none.

        Raises:
            OSError: it is no plain file, lies behind a symlink, or is too large.
        """
        if not os.path.lexists(self.path / path):
            return None
        if (self.path / path).resolve() != self.path.resolve() / path:
            raise UnreadableFile(f"{path} lies behind a symbolic link")
        return read_limited(self.path / path, MAX_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _locked(self, run_id: str) -> int:
        self._private.mkdir(parents=True, exist_ok=True)
        holder = self._private / "holder.json"
        try:
            lock = take_lock(self._private / "lock")
        except LockHeld as held:
            raise SlotBusy(self.name, pid=held.pid, run_id=_run_in(holder)) from held
        write_if_different(holder, json.dumps({"pid": os.getpid(), "run": run_id}).encode())
        return lock


class Slot(_Place):
    """A worktree of the repository at `path`, held by this process."""

    def __init__(self, repository: Repository, name: str, *, run_id: str) -> None:
        super().__init__(repository, name, run_id=run_id)
        self._checkout = Checkout(repository, git_directory=self._private, folder=self.path)
        self._visible = repository.common_dir / "worktrees" / f"gump-{self._unique}"

    def goto(self, tree: str, *, commit: str) -> None:
        """Make the files equal to `tree`, and let git there stand at `commit`, clean if that is the commit's tree.

        Only what differs is written. What git does not track goes, what it ignores stays.

        Raises:
            GitError: an object is missing, or the files can't be written.
        """
        _real_folder(self.path)
        self._checkout.restore(tree)
        _real_folder(self.path / RUNTIME_FOLDER)
        hide_runtime_files(self.path)
        with _told(self.path):
            self._show(commit)

    def snapshot(self, *, base: str) -> str:
        """The tree of the files as they are now, with `.gump/` as in the tree `base` and without build litter.

        Litter is what is untracked and byte-compiled Python or an agent's half-written `name.tmp.<pid>.<time>`.

        Raises:
            GitError: a file can't be read.
        """
        if not self.path.is_dir() or self.path.is_symlink():
            raise GitError(f"{self.path} is gone")
        tree = self._checkout.record(takes=_takes, nested_too=True)
        trees = self._repository.trees
        name = os.fsencode(RUNTIME_FOLDER)
        return trees.replace(tree, name, trees.find(base, name))

    def _show(self, commit: str) -> None:
        """Make the agent's git directory anew, whatever the agent did to it, and the `.git` file that leads there."""
        with metadata_lock(self._repository.common_dir):
            _real_folder(self._visible.parent)
            _real_folder(self._visible)
        wanted = {
            "HEAD": commit.encode() + b"\n",
            "commondir": b"../..\n",
            "gitdir": os.fsencode(self.path / ".git") + b"\n",
            "index": self._checkout.index_file.read_bytes(),
        }
        for entry in list(self._visible.iterdir()):
            if entry.name not in wanted:
                remove(entry)
        for name, content in wanted.items():
            write_if_different(self._visible / name, content)
        write_if_different(self.path / ".git", b"gitdir: " + os.fsencode(self._visible) + b"\n")


class EmptySlot(_Place):
    """An empty folder at `path`, held by this process, for steps with `worktree: none`."""

    def goto(self, tree: str, *, commit: str) -> None:
        """Empty the folder; `tree` and `commit` are of no account here."""
        _real_folder(self.path)
        with _told(self.path):
            for entry in list(self.path.iterdir()):
                remove(entry)
            write_if_different(self.path / ".git", b"gitdir: /nonexistent/no-repository-here\n")

    def snapshot(self, *, base: str) -> str:
        """`base`: nothing here is part of any tree."""
        return base


def working_tree(repository: Repository, *, ignoring: tuple[str, ...] = ()) -> str:
    """The tree of the user's files as they stand, with `.gump/` and the paths of `ignoring` as HEAD has them.

    It is made through a copy of the user's index; that index is read and never written. A repository inside the
    folder (another clone, a linked worktree) is not part of it.

    Raises:
        GitError: files are in conflict, or can't be read.
    """
    with passing_checkout(repository, repository.root) as checkout:
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(repository.git_directory / "index", checkout.index_file)
        tree = checkout.record(
            takes=lambda path, _tracked: not in_runtime_folder(path) and path not in ignoring, nested_too=False
        )
    head = repository.head().tree
    for path in map(os.fsencode, (RUNTIME_FOLDER, *ignoring)):
        tree = repository.trees.replace(tree, path, repository.trees.find(head, path))
    return tree


def hide_runtime_files(root: Path) -> None:
    """Write `.gump/.gitignore` below `root`, which hides all but workflows and validators; never over an existing one.

    It hides itself too, so that a first run leaves `git status` as it was.
    """
    folder = root / RUNTIME_FOLDER
    with _told(folder):
        folder.mkdir(exist_ok=True)
        with contextlib.suppress(FileExistsError), open(folder / ".gitignore", "xb") as file:
            file.write(_HIDE)


def _takes(path: str, tracked: bool) -> bool:
    return not in_runtime_folder(path) and (tracked or not _LITTER.fullmatch(path))


def _real_folder(path: Path) -> None:
    """Let `path` be a folder and no symlink, with its content if it is one already."""
    with _told(path):
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            path.unlink()
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            path.chmod(0o755)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise GitError(f"can't prepare {path}: {error}") from error


def _run_in(holder: Path) -> str:
    try:
        said = json.loads(holder.read_bytes())
    except (OSError, ValueError):
        return ""
    return str(said.get("run", "")) if isinstance(said, dict) else ""
