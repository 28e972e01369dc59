"""Keeps one folder's files equal to a tree, and makes a tree of what the files have become.

The folder is seen through a git directory of our own, with an index that nobody else writes: its stat cache tells what
changed in one scan (48 ms at 20,000 files), and what happens to any other index, HEAD or `.git` is of no account. Its
HEAD names a branch without a commit, so nothing in it can dangle.

Restoring removes each path that differs and writes it anew; libgit2's own check of what is out of date looks at size
and mtime alone, which an agent can set. A restore that was killed leaves the old index over new files, so that the next
scan finds them all.

A recording that took every change leaves files and index equal to its tree. A restore of that very tree right after it
therefore scans nothing: whoever lets a program at the files restores first, and only the next restore relies on it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pygit2
from pygit2.enums import CheckoutStrategy, DiffOption

from runtime.repository import GitError, Repository, left_out
from runtime.trees import SUBMODULE, Entry

_SCAN = (
    DiffOption.INCLUDE_UNTRACKED
    | DiffOption.RECURSE_UNTRACKED_DIRS
    | DiffOption.IGNORE_SUBMODULES
    | DiffOption.UPDATE_INDEX
)
_WRITE = CheckoutStrategy.FORCE | CheckoutStrategy.DONT_WRITE_INDEX | CheckoutStrategy.DISABLE_PATHSPEC_MATCH
_PASSES = 8


class Checkout:
    """The files below `folder`, seen through the git directory at `git_directory`, which is ours alone."""

    def __init__(self, repository: Repository, *, git_directory: Path, folder: Path) -> None:
        self._repository = repository
        self._git_directory = git_directory
        self._folder = folder
        self._equals = ""

    @property
    def index_file(self) -> Path:
        """The index: equal to the last tree that was restored or recorded, stat cache included."""
        return self._git_directory / "index"

    def restore(self, tree: str) -> None:
        """Make the files equal to `tree`; what git ignores stays, unless it is in the way.

        Raises:
            GitError: an object is missing, or the files can't be written.
        """
        known, self._equals = self._equals, ""
        if known == tree:
            return
        with self._told("can't restore the files"):
            git = self._open()
            for _ in range(_PASSES):
                if self._restore_once(git, tree):
                    break
                # The rules that say what is ignored were among what changed: look again with the right ones.
                git.index.write()
                git = self._open()
            if str(git.index.write_tree()) != tree:
                raise GitError(
                    f"{self._folder} could not be made equal to tree {tree}",
                    help="do two names in it differ in case only, while `core.ignorecase` is set?",
                )
            git.index.write()
            self._forget_nested(tree)

    def record(self, *, takes: Callable[[str, bool], bool], nested_too: bool) -> str:
        """The tree of the files as they are; the index then equals it.

        `takes(path, tracked)` says of each change whether it counts. The files of a repository nested in the folder
        are taken like any others, without its `.git`, if `nested_too`; submodules stay as the index has them.

        Raises:
            GitError: a file can't be read.
        """
        self._equals = ""
        with self._told("can't read the files"):
            git = self._open()
            changed, nested = self._scan(git)
            if nested_too:
                changed += (path for folder in nested for path in self._files_of_nested(git, folder))
            taken = [path for path in changed if takes(path, path in git.index)]
            present = {path for path in taken if _is_file(self._folder, path)}
            for path in taken:
                if path not in present and path in git.index and not left_out(git.index, path):
                    git.index.remove(path)
            for path in sorted(present):
                self._add(git.index, path)
            tree = str(git.index.write_tree())
            git.index.write()
            if taken == changed and not nested:
                self._equals = tree
            return tree

    def write_aside(self, tree: str, paths: Iterable[str], *, target: Path) -> None:
        """Write these files of a tree below `target` instead, as the attributes that the folder has now want them.

        A blob read as a stream (`pygit2.BlobIO`) never ends for a path that is not UTF-8.
        """
        with self._told("can't write the files"):
            listed = [_RawPath(path) for path in paths]
            git = self._open()
            tree_object = git[tree].peel(pygit2.Tree)
            git.checkout_tree(tree_object, directory=str(target), strategy=_WRITE, paths=listed)  # type: ignore[no-untyped-call]

    def _add(self, index: pygit2.Index, path: str) -> None:
        try:
            index.add(path)
        except (pygit2.GitError, OSError) as error:
            raise GitError(f"can't take `{path}` from {self._folder}: {error}") from error

    def _restore_once(self, git: pygit2.Repository, tree: str) -> bool:
        """One pass; true when nothing that it changed can bring up more."""
        changed, nested = self._scan(git)
        for folder in nested:
            remove(self._folder / folder / ".git")
        target = git[tree].peel(pygit2.Tree)
        deltas = target.diff_to_index(git.index, DiffOption.IGNORE_SUBMODULES).deltas
        pending = sorted({*changed, *(os.fsdecode(delta.new_file.raw_path) for delta in deltas)})
        wanted = {path: entry for path in pending if (entry := self._wanted(tree, path)) is not None}
        for path in pending:
            if path not in wanted:
                self._drop(git.index, path)
        for path in wanted:
            make_room(self._folder, path)
        self._write(git, target, wanted)
        return not nested and not any(path.rpartition("/")[2] == ".gitignore" for path in pending)

    def _forget_nested(self, tree: str) -> None:
        """Remove `.git` from folders of the tree: a scan looks through it there, but git below would stop at it."""
        top = os.fsencode(self._folder)
        for folder in self._repository.trees.folders(tree):
            nested = os.path.join(top, folder, b".git")
            if os.path.lexists(nested):
                remove(Path(os.fsdecode(nested)))

    def _wanted(self, tree: str, path: str) -> Entry | None:
        entry = self._repository.trees.find(tree, os.fsencode(path))
        return None if entry is None or entry.mode == 0o040000 else entry

    def _drop(self, index: pygit2.Index, path: str) -> None:
        if path in index:
            index.remove(path)
        if _real_parents(self._folder, path):
            remove(self._folder / path)
            _remove_empty_parents(self._folder, path)

    def _write(self, git: pygit2.Repository, target: pygit2.Tree, wanted: dict[str, Entry]) -> None:
        for path, entry in wanted.items():
            if entry.mode == SUBMODULE:
                (self._folder / path).mkdir(parents=True)
                git.index.add(pygit2.IndexEntry(path, pygit2.Oid(hex=entry.id), SUBMODULE))  # type: ignore[arg-type]
        files = [path for path, entry in wanted.items() if entry.mode != SUBMODULE]
        # The attributes on disk say how line ends are written, so they come first.
        attributes = [path for path in files if path.rpartition("/")[2] == ".gitattributes"]
        for batch in (attributes, [path for path in files if path not in attributes]):
            if batch:
                git.checkout_tree(target, strategy=_WRITE, paths=[_RawPath(path) for path in batch])  # type: ignore[no-untyped-call]

    def _scan(self, git: pygit2.Repository) -> tuple[list[str], list[str]]:
        """The paths that differ from the index, and the folders that are repositories of their own."""
        deltas = git.index.diff_to_workdir(_SCAN).deltas
        paths = [os.fsdecode(delta.new_file.raw_path) for delta in deltas]
        return [path for path in paths if not path.endswith("/")], [path for path in paths if path.endswith("/")]

    def _files_of_nested(self, git: pygit2.Repository, folder: str) -> Iterator[str]:
        for parent, folders, files in os.walk(self._folder / folder):
            below = os.path.relpath(parent, self._folder)
            folders[:] = [name for name in folders if name.casefold() != ".git"]
            links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
            for name in (*files, *links):
                path = f"{below}/{name}"
                if name.casefold() != ".git" and not _is_ignored(git, path):
                    yield path

    def _open(self) -> pygit2.Repository:
        """A fresh handle, its small files written anew: libgit2 remembers attributes, and an agent was at work."""
        self._git_directory.mkdir(parents=True, exist_ok=True)
        write_if_different(self._git_directory / "HEAD", b"ref: refs/gumpc/unborn\n")
        write_if_different(self._git_directory / "commondir", os.fsencode(self._repository.common_dir) + b"\n")
        write_if_different(self._git_directory / "gitdir", os.fsencode(self._folder / ".git") + b"\n")
        # Only the holder of the slot's lock comes here, so a lock of the index is one that a killed process left.
        (self._git_directory / "index.lock").unlink(missing_ok=True)
        git = pygit2.Repository(str(self._git_directory))
        try:
            _ = git.index
        except pygit2.GitError:
            # A damaged index only costs time: without it every file counts as changed.
            self.index_file.unlink()
            git = pygit2.Repository(str(self._git_directory))
        return git

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except (pygit2.GitError, KeyError, ValueError, OSError) as error:
            raise GitError(f"{what} in {self._folder}: {error}") from error


@contextlib.contextmanager
def passing_checkout(repository: Repository, folder: Path) -> Iterator[Checkout]:
    """A checkout for one use, whose git directory goes with it; its index is empty at first."""
    scratch = repository.common_dir / "gumpc" / "scratch" / uuid.uuid4().hex
    scratch.mkdir(parents=True)
    try:
        yield Checkout(repository, git_directory=scratch, folder=folder)
    finally:
        remove(scratch)


def _is_ignored(git: pygit2.Repository, path: str) -> bool:
    try:
        return git.path_is_ignored(path)
    except UnicodeEncodeError:
        # pygit2 takes no name here that is not UTF-8; to keep such a file is better than to lose it.
        return False


@dataclass(frozen=True, slots=True)
class _RawPath:
    """A path for the list that pygit2 takes: from a string it would refuse names that are not UTF-8."""

    path: str

    def __fspath__(self) -> bytes:
        return os.fsencode(self.path)


def write_if_different(path: Path, content: bytes) -> None:
    """Let `path` be a regular file of this content; whatever else is there is replaced, never followed."""
    with contextlib.suppress(OSError):
        if stat.S_ISREG(path.lstat().st_mode) and path.read_bytes() == content:
            return
    temporary = path.with_name(f"{path.name}.new")
    remove(temporary)
    temporary.write_bytes(content)
    if path.is_dir() and not path.is_symlink():
        remove(path)
    os.replace(temporary, path)


def remove(path: Path) -> None:
    """Remove a file, a symlink (not what it leads to) or a folder with all it holds; absent is well too.

    Raises:
        OSError: something can't be removed, even after making its folder writable.
    """
    found = [os.fspath(path)]
    while found:
        if not _removed(found[-1]):
            found.extend(_opened(found[-1]))
            continue
        found.pop()


def _removed(path: str) -> bool:
    """Whether `path` is gone now; false for a folder that is not empty."""
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return True
    try:
        (os.rmdir if stat.S_ISDIR(mode) else os.unlink)(path)
    except FileNotFoundError:
        return True
    except PermissionError:
        parent = os.path.dirname(path)
        if os.lstat(parent).st_mode & stat.S_IRWXU == stat.S_IRWXU:
            raise
        os.chmod(parent, stat.S_IRWXU)
        return _removed(path)
    except OSError:
        if not stat.S_ISDIR(mode):
            raise
        return False
    return True


def _opened(folder: str) -> list[str]:
    with contextlib.suppress(PermissionError):
        return _listed(folder)
    os.chmod(folder, stat.S_IRWXU)
    return _listed(folder)


def _listed(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.path for entry in entries]


def make_room(folder: Path, path: str) -> None:
    """Remove what stands at `path` below `folder`, and whatever above it is not a real folder."""
    for parent in _parents(folder, path):
        try:
            mode = parent.lstat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(mode):
            parent.unlink()
            return
        if mode & stat.S_IRWXU != stat.S_IRWXU:
            parent.chmod(mode | stat.S_IRWXU)
    remove(folder / path)


def _parents(folder: Path, path: str) -> Iterable[Path]:
    """The folders between `folder` and `path`, from the top."""
    return [folder / parent for parent in reversed(Path(path).parents[:-1])]


def _real_parents(folder: Path, path: str) -> bool:
    """Whether no symlink lies between `folder` and `path`."""
    return not any(parent.is_symlink() for parent in _parents(folder, path))


def _is_file(folder: Path, path: str) -> bool:
    """Whether a regular file or a symlink is at `path`, reached through real folders."""
    if not _real_parents(folder, path):
        return False
    try:
        mode = (folder / path).lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def _remove_empty_parents(folder: Path, path: str) -> None:
    for parent in reversed(list(_parents(folder, path))):
        try:
            parent.rmdir()
        except OSError:
            return
