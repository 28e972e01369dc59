"""Makes trees, diffs, merges and refs out of a user's git repository, through libgit2 alone.

The git program runs what a repository plants in its config (hooks, filters, fsmonitor, external diffs); libgit2 runs
none of it.

Our refs all live below `refs/gumpc/`, and are written under a lock of ours. Objects and refs are each written aside and
renamed, objects first: whenever a process dies, a ref that can be read has its objects. (The disk is not waited for:
this says nothing about a power cut.)
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pygit2
from pygit2.enums import DeltaStatus, DiffOption
from pygit2.ffi import C, ffi

from gumpc.globs import compile_globs
from runtime import changes
from runtime.changes import FileChange, Merged
from runtime.errors import RunError
from runtime.files import LockHeld, take_lock
from runtime.trees import Trees

RUNTIME_FOLDER = ".gump"
OUR_REFS = "refs/gumpc/"
_LOCK_ATTEMPTS = 30
_SKIP_WORKTREE = 1 << 14
_ASSUME_UNCHANGED = 1 << 15


class GitError(RunError):
    """Something about the repository that only a person can put right."""


class NotARepository(GitError):
    """There is no repository here that has a working tree and that we may open."""


class EmptyRepository(GitError):
    """The repository, or its current branch, has no commit yet."""


class UnknownRevision(GitError):
    """A name that is no commit."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where the user is: `branch` is the short name, or None when HEAD is detached."""

    commit: str
    tree: str
    branch: str | None


@dataclass(frozen=True, slots=True)
class Uncommitted:
    """A path of the user's tree that differs from HEAD; `status` is git's letter: M, A, D, T, U, or ? for untracked."""

    status: str
    path: str


class Repository:
    """One working tree of the user's, and the git directory it shares with its linked worktrees."""

    def __init__(self, git_directory: Path) -> None:
        self.git_directory = git_directory
        self.common_dir = _common_directory(git_directory)
        self._git = pygit2.Repository(str(git_directory))
        self.root = Path(self._git.workdir)
        self._objects = changes.objects_alone(self.common_dir)
        self.trees = Trees(pygit2.Odb(str(self.common_dir / "objects")))

    @classmethod
    def discover(cls, directory: Path) -> Repository:
        """The repository whose working tree holds `directory`.

        Raises:
            NotARepository: none does, or it is bare, someone else's, or of a format that libgit2 can't read.
            EmptyRepository: it has no commit yet.
        """
        try:
            found = pygit2.discover_repository(str(directory))
            if found is None:
                raise NotARepository(f"{directory} is not in a git repository", help="run `git init` and commit first")
            git = pygit2.Repository(found)
        except (pygit2.GitError, KeyError) as error:
            raise NotARepository(f"git repository at {directory}: {_words(error)}", help=_remedy(error)) from error
        if git.is_bare or git.workdir is None:
            raise NotARepository(f"{found} is a bare repository", help="use a clone that has a working tree")
        if git.head_is_unborn:
            raise EmptyRepository(f"{git.workdir} has no commit yet", help="commit something first")
        return cls(Path(found))

    def open(self) -> pygit2.Repository:
        """The user's repository as it is now: a fresh handle, since libgit2 remembers index and attributes."""
        return pygit2.Repository(str(self.git_directory))

    def head(self) -> Head:
        """Where the user's HEAD is now.

        Raises:
            EmptyRepository: it is on a branch without a commit.
        """
        try:
            reference = self._git.head
            commit = reference.peel(pygit2.Commit)
        except (pygit2.GitError, KeyError) as error:
            raise EmptyRepository(f"HEAD is no commit: {_words(error)}", help="commit something first") from error
        branch = None if self._git.head_is_detached else reference.shorthand
        return Head(str(commit.id), str(commit.tree_id), branch)

    def resolve(self, revision: str) -> str:
        """The commit that `revision` names, in any of git's notations.

        Raises:
            UnknownRevision: it names nothing, several things, or no commit.
        """
        try:
            return str(self._git.revparse_single(revision).peel(pygit2.Commit).id)
        except (pygit2.GitError, KeyError, ValueError) as error:
            raise UnknownRevision(f"`{revision}` is not a commit of this repository: {_words(error)}") from error

    def tree_of(self, commit: str) -> str:
        """The tree of a commit."""
        with self._told(f"commit {commit}"):
            return str(self._git[commit].peel(pygit2.Tree).id)

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `newer` is `older` or was made on top of it."""
        with self._told("history"):
            return older == newer or self._git.descendant_of(newer, older)

    def uncommitted(self, *, ignoring: Collection[str] = ()) -> tuple[Uncommitted, ...]:
        """What the user has not committed, by path; never `.gump/`, the paths in `ignoring`, or what git ignores.

        Submodules count when another commit of them is staged, not for what they hold; other repositories inside the
        folder (a clone, a linked worktree) don't count at all.
        """
        with self._told("status"):
            git = self.open()
            flags = DiffOption.IGNORE_SUBMODULES | DiffOption.INCLUDE_TYPECHANGE
            untracked = DiffOption.INCLUDE_UNTRACKED | DiffOption.RECURSE_UNTRACKED_DIRS
            staged = git.head.peel(pygit2.Tree).diff_to_index(git.index, DiffOption.INCLUDE_TYPECHANGE)
            unstaged = dict(_statuses(git.index.diff_to_workdir(flags | untracked)))
            found = {
                path: letter for path, letter in unstaged.items() if letter != "D" or not left_out(git.index, path)
            }
            found.update(_statuses(staged))
        return tuple(
            Uncommitted(letter, path)
            for path, letter in sorted(found.items())
            if not (in_runtime_folder(path) or path in ignoring or path.endswith("/"))
        )

    def key_tree(self, tree: str, *, without: Collection[str]) -> str:
        """The tree without `.gump/` and without the paths of `without` (absent ones do no harm)."""
        with self._told(f"tree {tree}"):
            for path in (RUNTIME_FOLDER, *sorted(without)):
                tree = self.trees.replace(tree, os.fsencode(path), None)
            return tree

    def digest_of_entries(self, tree: str, globs: Iterable[str]) -> str:
        """SHA-256 (hex) over mode, object and path of the files that match any glob; equal for equal parts of trees."""
        match = compile_globs(globs)
        digest = hashlib.sha256()
        with self._told(f"tree {tree}"):
            for path, entry in self.trees.walk(tree):
                if match(os.fsdecode(path)):
                    digest.update(b"%o %s %s\0" % (entry.mode, entry.id.encode(), path))
        return digest.hexdigest()

    def read(self, tree: str, path: str) -> bytes | None:
        """The content of the regular file at `path`; None for what is absent, a folder, a symlink or a submodule."""
        with self._told(f"tree {tree}"):
            entry = self.trees.find(tree, os.fsencode(path))
            if entry is None or entry.mode & 0o170000 != 0o100000:
                return None
            return self.trees.objects.read(pygit2.Oid(hex=entry.id))[1]

    def paths(self, tree: str) -> Iterator[str]:
        """Every path of a tree but folders, in git's order."""
        with self._told(f"tree {tree}"):
            for path, _ in self.trees.walk(tree):
                yield os.fsdecode(path)

    def changed(self, old: str, new: str) -> tuple[FileChange, ...]:
        """The files that differ between two trees, by path; a moved file is one change with status R."""
        with self._told("diff"):
            return changes.changed(self._objects, old, new)

    def diff(self, old: str, new: str) -> str:
        """The unified diff in git's format; bytes that are not UTF-8 are shown as `\\xff`."""
        with self._told("diff"):
            return changes.diff(self._objects, old, new).decode("utf-8", "backslashreplace")

    def patch(self, old: str, new: str) -> bytes:
        """The diff with binary files in full, as `git apply` takes it."""
        with self._told("diff"):
            return changes.diff(self._objects, old, new, binary=True)

    def merge(self, *, base: str, ours: str, theirs: str) -> Merged:
        """The three-way merge of trees, in memory. Attributes (`merge=union`) and merge drivers play no part."""
        with self._told("merge"):
            return changes.merge(self._objects, base=base, ours=ours, theirs=theirs)

    def commit(self, tree: str, *, parents: Sequence[str], message: str, author: str | None = None) -> str:
        """Store a commit and move nothing. `author` is a name; by default it is the user that git's config names."""
        with self._told("commit"):
            committer = self._signature()
            written_by = pygit2.Signature(_plain(author), "gumpc@localhost") if author else committer
            text = message.encode("utf-8", "replace").decode()
            return str(self._objects.create_commit(None, written_by, committer, text, tree, list(parents)))

    def set_ref(self, name: str, target: str) -> None:
        """Let the ref `name`, which is below `refs/gumpc/`, hold on to a commit, tree or blob."""
        with self._changing(name):
            self._git.references.create(name, target, force=True)

    def delete_ref(self, name: str) -> None:
        """Let go of what `name` holds; nothing happens when there is no such ref."""
        with self._changing(name), contextlib.suppress(KeyError):
            self._git.references.delete(name)

    def ref(self, name: str) -> str | None:
        """The id that a ref holds, or None."""
        with self._told(name):
            reference = self._git.references.get(name)
            return None if reference is None else str(reference.resolve().target)

    def refs(self, prefix: str) -> dict[str, str]:
        """The refs below `prefix` (which is below `refs/gumpc/`), with what each holds."""
        with self._told("refs"):
            names = [name for name in self._git.listall_references() if name.startswith(prefix)]
        return {name: target for name in sorted(names) if (target := self.ref(name)) is not None}

    def has_objects(self, *ids: str) -> bool:
        """Whether the object database has all of these objects (not whether it has all that they refer to)."""
        try:
            return all(pygit2.Oid(hex=wanted) in self.trees.objects for wanted in ids)
        except (ValueError, pygit2.GitError):
            return False

    def _signature(self) -> pygit2.Signature:
        try:
            return self.open().default_signature
        except (pygit2.GitError, KeyError, ValueError):
            return pygit2.Signature("gumpc", "gumpc@localhost")

    @contextlib.contextmanager
    def _told(self, subject: str) -> Iterator[None]:
        """Tell libgit2's errors as ours: a missing object, a damaged file, a format that it can't read."""
        try:
            yield
        except (pygit2.GitError, KeyError, ValueError, OSError) as error:
            raise GitError(f"git: {subject}: {_words(error)}", help=_remedy(error)) from error

    @contextlib.contextmanager
    def _changing(self, name: str) -> Iterator[None]:
        """Hold the lock for metadata while a ref changes. Whoever left a lock file of that ref behind has died."""
        if not name.startswith(OUR_REFS) or not pygit2.reference_is_valid_name(name):
            raise ValueError(f"not a ref of ours: {name!r}")
        with self._told(name), metadata_lock(self.common_dir):
            (self.common_dir / f"{name}.lock").unlink(missing_ok=True)
            yield


@contextlib.contextmanager
def metadata_lock(common_dir: Path) -> Iterator[None]:
    """Be the only process that changes our refs and our folders below the git directory."""
    path = common_dir / "gumpc" / "metadata.lock"
    path.parent.mkdir(exist_ok=True)
    descriptor = _taken(path)
    try:
        yield
    finally:
        os.close(descriptor)


def _taken(path: Path) -> int:
    for _ in range(_LOCK_ATTEMPTS):
        with contextlib.suppress(LockHeld):
            return take_lock(path)
    return take_lock(path)


def in_runtime_folder(path: str) -> bool:
    """Whether a path from the root is `.gump` or below it, in any spelling that some file system takes for it."""
    return path.split("/", 1)[0].casefold() == RUNTIME_FOLDER


def left_out(index: pygit2.Index, path: str) -> bool:
    """Whether the index says that this file need not be on disk (a sparse checkout's, or one assumed unchanged).

    libgit2 takes such a file for deleted, where git doesn't, and pygit2 has no name for the flags.
    """
    entry = C.git_index_get_bypath(index._index, os.fsencode(path), 0)
    return entry != ffi.NULL and bool(entry.flags_extended & _SKIP_WORKTREE or entry.flags & _ASSUME_UNCHANGED)


def _common_directory(git_directory: Path) -> Path:
    """What a linked worktree shares with the others; the git directory itself otherwise (a submodule's too)."""
    with contextlib.suppress(FileNotFoundError):
        content = os.fsdecode((git_directory / "commondir").read_bytes().rstrip(b"\n"))
        return Path(os.path.realpath(git_directory / content))
    return Path(os.path.realpath(git_directory))


def _statuses(diff: pygit2.Diff) -> Iterator[tuple[str, str]]:
    for delta in diff.deltas:
        letter = "U" if delta.status == DeltaStatus.CONFLICTED else delta.status_char()
        yield os.fsdecode(delta.new_file.raw_path), letter


def _plain(name: str) -> str:
    return re.sub(r"[<>\x00-\x1f]", " ", name).strip() or "gumpc"


def _words(error: BaseException) -> str:
    """The message of an error, without the quotes that KeyError puts around it."""
    return str(error.args[0]) if error.args else type(error).__name__


def _remedy(error: BaseException) -> str:
    text = _words(error)
    if "not owned" in text:
        return "tell git that you trust it: `git config --global --add safe.directory <path>`"
    if "unsupported" in text:
        return "libgit2 can't read this format: turn off split and sparse indexes, reftable or SHA-256 for this clone"
    if "lock" in text:
        return "another git program is at work here; if none is, remove the lock file that it left"
    return ""
