"""Makes lists of changes, diffs and merges out of pairs and triples of trees.

Trees are compared and merged in a repository that exists in memory only, over the user's objects: it has no config, no
attributes and no folder, so neither a user's `diff.noprefix` nor a `.gitattributes` on disk can change the text of a
diff, which goes into prompts and so into keys.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path

import pygit2
from pygit2.enums import ConfigLevel, DiffFind, DiffFlag, DiffOption, MergeFlag

RENAME_LIMIT = 1000
_CONFIG_LEVELS = (ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL)
_opening_without_config = threading.Lock()


@dataclass(frozen=True, slots=True)
class FileChange:
    """How one file differs between two trees. `old_path` differs from `path` for a rename (status R) only.

    `added` and `removed` count lines, and are 0 for a binary file and for one that became a symlink or the like (T).
    """

    status: str
    path: str
    old_path: str
    added: int
    removed: int
    binary: bool


@dataclass(frozen=True, slots=True)
class Merged:
    """A three-way merge: its tree, or None and the paths in conflict."""

    tree: str | None
    conflicts: tuple[str, ...] = ()


def objects_alone(common_dir: Path) -> pygit2.Repository:
    """A repository in memory over the user's objects, that has read no config.

    libgit2 looks for the files of the system and the user in a search path that belongs to the process, and reads them
    when the config is first asked for: for that moment the path leads nowhere.
    """
    search_path = pygit2.settings.search_path
    with _opening_without_config:
        before = [search_path[level] for level in _CONFIG_LEVELS]
        try:
            for level in _CONFIG_LEVELS:
                search_path[level] = os.devnull
            repository = pygit2.Repository()
            repository.set_odb(pygit2.Odb(str(common_dir / "objects")))
            _ = repository.config
        finally:
            for level, path in zip(_CONFIG_LEVELS, before, strict=True):
                search_path[level] = path
    return repository


def changed(objects: pygit2.Repository, old: str, new: str) -> tuple[FileChange, ...]:
    """The files that differ between two trees, by path; a moved file is one change with status R."""
    if old == new:
        return ()
    found = [
        _file_change(patch) for patch in _diff(objects, old, new, DiffOption.INCLUDE_TYPECHANGE) if patch is not None
    ]
    return tuple(sorted(found, key=lambda change: (change.path, change.status)))


def diff(objects: pygit2.Repository, old: str, new: str, *, binary: bool = False) -> bytes:
    """The unified diff in git's format, with the content of binary files if `binary`."""
    if old == new:
        return b""
    flags = DiffOption.SHOW_BINARY if binary else DiffOption.NORMAL
    return b"".join(patch.data for patch in _diff(objects, old, new, flags) if patch is not None)


def merge(objects: pygit2.Repository, *, base: str, ours: str, theirs: str) -> Merged:
    """The three-way merge of trees; a result without conflicts is stored."""
    if theirs in (ours, base):
        return Merged(ours)
    if base == ours:
        return Merged(theirs)
    index = objects.merge_trees(base, ours, theirs, flags=MergeFlag.FIND_RENAMES)
    if index.conflicts is not None:
        sides = (side for conflict in index.conflicts for side in conflict)
        return Merged(None, tuple(sorted({side.path for side in sides if side is not None})))
    return Merged(str(index.write_tree(objects)))


def _diff(objects: pygit2.Repository, old: str, new: str, flags: DiffOption) -> pygit2.Diff:
    trees = [objects[tree].peel(pygit2.Tree) for tree in (old, new)]
    found = trees[0].diff_to_tree(trees[1], flags | DiffOption.INDENT_HEURISTIC)
    found.find_similar(DiffFind.FIND_RENAMES, rename_limit=RENAME_LIMIT)
    return found


def _file_change(patch: pygit2.Patch) -> FileChange:
    delta = patch.delta
    _, added, removed = patch.line_stats
    return FileChange(
        status=delta.status_char(),
        path=os.fsdecode(delta.new_file.raw_path),
        old_path=os.fsdecode(delta.old_file.raw_path),
        added=added,
        removed=removed,
        binary=bool(delta.flags & DiffFlag.BINARY),
    )
