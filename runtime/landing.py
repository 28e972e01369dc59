"""Brings the result of a run into the branch that the user is on: the only place that moves a user's branch.

Nothing is touched before everything is known to fit: the merge is made in memory, every path that it changes must be as
HEAD has it in the index and on disk, and every new content is written aside first. Then files are renamed into place,
the index is written, and last the branch moves, if it still is where it was. A kill in between leaves some files as the
result has them, which a second `land` takes for done; no file is ever half written, and no commit is lost.

The result is one commit, made of the run's base and its tree; none of the run's own commits enters the user's history,
and no hook runs.
"""

from __future__ import annotations

import contextlib
import os
import stat
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pygit2
from pygit2.enums import DiffOption, RepositoryState

from runtime.changes import FileChange
from runtime.checkout import passing_checkout, remove
from runtime.repository import RUNTIME_FOLDER, GitError, Head, Repository, left_out
from runtime.trees import LINK, SUBMODULE, Entry
from runtime.workspace import hide_runtime_files

Mode = Literal["merge", "squash"]
_STAGING = "apply-"


class LandingRefused(GitError):
    """The result does not fit as things are; nothing was changed. `paths` are the files that it is about."""

    def __init__(self, message: str, *, paths: Iterable[str] = (), help: str = "") -> None:
        self.paths = tuple(sorted(set(paths)))
        super().__init__("\n  ".join((message, *self.paths)), help=help)


class MergeConflict(LandingRefused):
    """The user's branch and the result changed the same lines, or the same files in ways that exclude each other."""


class FilesInTheWay(LandingRefused):
    """Files that the result changes have uncommitted changes, staged or not, or are not tracked at all."""


class OperationUnderWay(LandingRefused):
    """A merge, a rebase or the like waits for its end."""


class BranchMoved(LandingRefused):
    """Someone else moved the branch just now; the files already hold the result."""


@dataclass(frozen=True, slots=True)
class Landed:
    """What came of it: the new commit, or None when the branch has the result already; and the files that changed."""

    commit: str | None
    changes: tuple[FileChange, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """One path: what HEAD has there and what the merge has; None is absence."""

    path: str
    old: Entry | None
    new: Entry | None


def land(
    repository: Repository, *, base: str, result_tree: str, run_id: str, title: str, mode: Mode = "merge"
) -> Landed:
    """Merge what changed between the commit `base` and `result_tree` into the current branch (or detached HEAD).

    `merge` makes a merge commit of HEAD and of one plain commit with the result; `squash` a single commit. Both have
    the trailer `Gump-Run`. Where HEAD does not contain `base` (it was amended, or held uncommitted work), the plain
    commit is made on HEAD, so that nothing else of `base` enters the branch.

    What the result has below `.gump/` is of no account.

    Raises:
        MergeConflict, FilesInTheWay, OperationUnderWay: and nothing was changed.
        BranchMoved: someone else moved the branch meanwhile.
        GitError: an object is missing or a file can't be written; running it again goes on.
    """
    head = repository.head()
    git = repository.open()
    _refuse_other_operation(git)
    base_tree = repository.tree_of(base)
    folder = os.fsencode(RUNTIME_FOLDER)
    result_tree = repository.trees.replace(result_tree, folder, repository.trees.find(base_tree, folder))
    merged = repository.merge(base=base_tree, ours=head.tree, theirs=result_tree)
    if merged.tree is None:
        raise MergeConflict(
            "the result conflicts with the current branch in",
            paths=merged.conflicts,
            help="check out the commit that the run started from and apply there, then merge",
        )
    steps = _steps(repository, head.tree, merged.tree)
    if not steps:
        return Landed(None, ())
    _refuse_files_in_the_way(git, steps)
    subject = _subject(title)
    trailer = f"{subject}\n\nGump-Run: {run_id}\n"
    if mode == "squash":
        commit = repository.commit(merged.tree, parents=[head.commit], message=trailer)
    else:
        parent, tree = (base, result_tree) if repository.is_ancestor(base, head.commit) else (head.commit, merged.tree)
        plain = repository.commit(tree, parents=[parent], message=f"{subject}\n")
        commit = repository.commit(merged.tree, parents=[head.commit, plain], message=f"Merge: {trailer}")
    with _told():
        _put_files(repository, merged.tree, steps)
        _put_index(git, steps)
    _move(git, head, commit, run_id)
    return Landed(commit, repository.changed(head.tree, merged.tree))


def patch(repository: Repository, *, base: str, result_tree: str) -> bytes:
    """What `git apply` needs to make the same change: the diff from the commit `base` to `result_tree`."""
    return repository.patch(repository.tree_of(base), result_tree)


def _refuse_other_operation(git: pygit2.Repository) -> None:
    if git.state() != RepositoryState.NONE:
        name = git.state().name.split("_")[0].lower()
        raise OperationUnderWay(f"a {name} is under way in this repository", help="finish it or abort it first")
    if git.index.conflicts is not None:
        paths = (side.path for conflict in git.index.conflicts for side in conflict if side is not None)
        raise OperationUnderWay("there are files in conflict", paths=paths, help="resolve them first")


def _steps(repository: Repository, old: str, new: str) -> list[_Step]:
    """The paths that differ, submodules included."""
    trees = [repository.open()[tree].peel(pygit2.Tree) for tree in (old, new)]
    deltas = trees[0].diff_to_tree(trees[1], DiffOption.INCLUDE_TYPECHANGE).deltas
    steps = [
        _Step(os.fsdecode(path), repository.trees.find(old, path), repository.trees.find(new, path))
        for path in sorted({delta.new_file.raw_path for delta in deltas})
    ]
    return [_Step(step.path, _file(step.old), _file(step.new)) for step in steps]


def _file(entry: Entry | None) -> Entry | None:
    """The entry unless it is a folder, whose files are steps of their own."""
    return None if entry is None or entry.mode == 0o040000 else entry


def _refuse_files_in_the_way(git: pygit2.Repository, steps: list[_Step]) -> None:
    leaving = {step.path for step in steps if step.new is None}
    root = Path(git.workdir)
    staged = [step.path for step in steps if _in_index(git, step.path) not in (step.old, step.new)]
    edited = [step.path for step in steps if not _as_expected(git, root, step)]
    covered = [step.path for step in steps if step.new is not None and _covered(root, step.path, leaving)]
    if paths := [*staged, *edited, *covered]:
        raise FilesInTheWay(
            "these files have changes that are not committed, or are not tracked, and the result changes them",
            paths=paths,
            help="commit, stash or move them first",
        )


def _in_index(git: pygit2.Repository, path: str) -> Entry | None:
    if path not in git.index:
        return None
    entry = git.index[path]
    return Entry(int(entry.mode), str(entry.id))


def _as_expected(git: pygit2.Repository, root: Path, step: _Step) -> bool:
    """Whether the disk has at this path what HEAD has or, after an attempt that was killed, what the merge has."""
    if SUBMODULE in {entry.mode for entry in (step.old, step.new) if entry is not None}:
        return True
    there = _on_disk(git, root, step.path)
    if there is None and step.old is not None and step.new is not None:
        return not os.path.lexists(root / step.path) and left_out(git.index, step.path)
    return there in {None if entry is None else _comparable(git, entry) for entry in (step.old, step.new)} or (
        there is None and step.new is None
    )


def _on_disk(git: pygit2.Repository, root: Path, path: str) -> Entry | None:
    """The entry that git would make of the file at `path`; None when there is none, or a folder in its place."""
    try:
        mode = (root / path).lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if any(parent.is_symlink() for parent in _parents(root, path)) or stat.S_ISDIR(mode):
        return None
    if stat.S_ISLNK(mode):
        return Entry(LINK, str(git.create_blob(os.fsencode(os.readlink(root / path)))))
    if not stat.S_ISREG(mode):
        return Entry(0, "")
    found = Entry(0o100755 if mode & 0o100 else 0o100644, str(git.create_blob_fromworkdir(path)))
    return _comparable(git, found)


def _comparable(git: pygit2.Repository, entry: Entry) -> Entry:
    """The entry without what this file system can't tell: `core.fileMode` says whether it has executable bits."""
    with contextlib.suppress(KeyError):
        if entry.mode == 0o100755 and not git.config.get_bool("core.filemode"):
            return Entry(0o100644, entry.id)
    return entry


def _covered(root: Path, path: str, leaving: set[str]) -> bool:
    """Whether something that is not ours to remove stands at `path` (a folder with other files) or above it."""
    for parent in _parents(root, path):
        if parent.is_symlink() or (parent.exists() and not parent.is_dir()):
            return str(parent.relative_to(root)) not in leaving
    place = root / path
    if place.is_symlink() or not place.is_dir():
        return False
    return any(
        os.path.relpath(os.path.join(folder, name), root) not in leaving
        for folder, _, names in os.walk(place)
        for name in names
    )


def _put_files(repository: Repository, tree: str, steps: list[_Step]) -> None:
    """Write each new file aside, then take away what goes, then rename what comes into place."""
    root = repository.root
    with _staging(root) as staging:
        written = [step.path for step in steps if step.new is not None and step.new.mode != SUBMODULE]
        if written:
            with passing_checkout(repository, root) as checkout:
                checkout.write_aside(tree, written, target=staging)
        for step in steps:
            if step.new is None:
                _take_away(root, step)
        for path in written:
            target = root / path
            if target.is_dir() and not target.is_symlink():
                remove(target)  # Of empty folders, or it would have been refused.
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(staging / path, target)
    for step in steps:
        if step.new is not None and step.new.mode == SUBMODULE:
            (root / step.path).mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def _staging(root: Path) -> Iterator[Path]:
    """A folder on the same file system as the user's files; what a killed attempt left there goes first."""
    hide_runtime_files(root)
    parent = root / RUNTIME_FOLDER
    for left in parent.glob(f"{_STAGING}*"):
        remove(left)
    folder = parent / f"{_STAGING}{uuid.uuid4().hex}"
    folder.mkdir()
    try:
        yield folder
    finally:
        remove(folder)


def _take_away(root: Path, step: _Step) -> None:
    place = root / step.path
    parents = _parents(root, step.path)
    if any(parent.is_symlink() for parent in parents):
        return
    with contextlib.suppress(OSError):
        # A submodule's folder goes only when it is empty, as with git.
        place.rmdir() if step.old is not None and step.old.mode == SUBMODULE else place.unlink(missing_ok=True)
    for parent in reversed(parents):
        with contextlib.suppress(OSError):
            parent.rmdir()


def _parents(root: Path, path: str) -> list[Path]:
    return [root / parent for parent in reversed(Path(path).parents[:-1])]


def _put_index(git: pygit2.Repository, steps: list[_Step]) -> None:
    index = git.index
    for step in steps:
        if step.path in index and step.new is None:
            index.remove(step.path)
    for step in steps:
        if step.new is not None:
            _put_entry(git, step.path, step.new)
    index.write()


def _put_entry(git: pygit2.Repository, path: str, entry: Entry) -> None:
    if entry.mode != SUBMODULE:
        # Taken from disk where that gives the same, since this fills in the stat cache as well.
        git.index.add(path)
    if _in_index(git, path) != entry:
        git.index.add(pygit2.IndexEntry(path, pygit2.Oid(hex=entry.id), entry.mode))  # type: ignore[arg-type]


def _move(git: pygit2.Repository, head: Head, commit: str, run_id: str) -> None:
    reference = git.references["HEAD"] if head.branch is None else git.head
    moved = BranchMoved("the branch moved while the result was brought in", help="look at `git status`, then try again")
    if str(reference.target) != head.commit:
        raise moved
    try:
        reference.set_target(commit, f"gumpc apply {run_id}")
    except OSError as error:
        remedy = "another git program is at work; if none is, remove the lock file that one left, and run this again"
        raise GitError(f"the branch can't be moved: {error}", help=remedy) from error
    except pygit2.GitError as error:
        raise moved from error


def _subject(title: str) -> str:
    return " ".join(title.split()) or "Apply a run's result"


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (pygit2.GitError, KeyError, ValueError, OSError) as error:
        raise GitError(
            f"the result could not be brought in: {error}", help="run it again once that is put right"
        ) from error
