"""Trees, diffs, merges and refs, held to what the git program says of the same repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.repository import (
    EmptyRepository,
    GitError,
    NotARepository,
    Repository,
    Uncommitted,
    UnknownRevision,
)
from tests.unit.git_cli import commit, git, new_repository, write

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files: dict[str, str | bytes] = {
        "README.md": "hello\n",
        "src/a.py": "a\n",
        "src/deep/b.py": "b\n",
        "src-x/c.py": "c\n",
        ".gump/workflows/w.yaml": "steps: []\n",
        "spec.md": "the spec\n",
        os.fsdecode(b"caf\xe9"): "latin\n",
    }
    return new_repository(tmp_path / "repo", files)


@pytest.fixture
def repository(root: Path) -> Repository:
    return Repository.discover(root)


def tree_after(root: Path, files: dict[str, str | bytes], *gone: str) -> str:
    """The tree of HEAD with some files written and some gone; the repository is left as it was."""
    write(root, files)
    for name in gone:
        (root / name).unlink()
    git(root, "add", "-A")
    tree = git(root, "write-tree")
    git(root, "reset", "-q", "--hard")
    git(root, "clean", "-fdq")
    return tree


def test_it_is_found_from_any_folder_inside(root: Path) -> None:
    found = Repository.discover(root / "src/deep")
    assert (found.root, found.common_dir) == (root, root / ".git")


def test_what_is_no_repository_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotARepository, match="not in a git repository") as refused:
        Repository.discover(tmp_path)
    assert "git init" in refused.value.help
    git(tmp_path, "init", "-q", "--bare", "bare")
    with pytest.raises(NotARepository, match="bare"):
        Repository.discover(tmp_path / "bare")
    git(tmp_path, "init", "-q", "empty")
    with pytest.raises(EmptyRepository, match="no commit"):
        Repository.discover(tmp_path / "empty")
    with pytest.raises(NotARepository):
        Repository.discover(tmp_path / "absent")


def test_an_unreadable_repository_is_told_with_a_remedy(root: Path) -> None:
    git(root, "config", "core.repositoryformatversion", "1")
    git(root, "config", "extensions.somethingNew", "true")
    with pytest.raises(NotARepository) as refused:
        Repository.discover(root)
    assert "libgit2" in refused.value.help


def test_head(root: Path, repository: Repository) -> None:
    head = repository.head()
    assert (head.commit, head.tree) == (git(root, "rev-parse", "HEAD"), git(root, "rev-parse", "HEAD^{tree}"))
    assert head.branch == "main"
    git(root, "checkout", "-q", "--detach")
    assert repository.head().branch is None
    git(root, "checkout", "-q", "--orphan", "fresh")
    with pytest.raises(EmptyRepository):
        repository.head()


def test_revisions(root: Path, repository: Repository) -> None:
    first = repository.head().commit
    git(root, "tag", "-a", "-m", "tag", "v1")
    second = commit(root)
    assert [repository.resolve(name) for name in ("HEAD", "main", "v1", "HEAD~1", first[:12])] == [
        second,
        second,
        first,
        first,
        first,
    ]
    assert repository.is_ancestor(first, second)
    assert repository.is_ancestor(first, first)
    assert not repository.is_ancestor(second, first)
    for unknown in ("nothing", "", "HEAD~9", "HEAD:README.md", "a..b", "-x", "\0"):
        with pytest.raises(UnknownRevision):
            repository.resolve(unknown)


def test_uncommitted_is_what_git_status_says(root: Path, repository: Repository) -> None:
    assert repository.uncommitted() == ()
    write(root, {"README.md": "x\n", "new dir/a b": "n", "spec.md": "edited", ".gump/runs/x": "r", "x.log": "i"})
    write(root, {".gitignore": "*.log\n", "staged": "s\n", ".gump/workflows/w.yaml": "edited\n"})
    git(root, "add", "staged")
    (root / "src/a.py").unlink()
    (root / "src/deep/b.py").unlink()
    (root / "src/deep/b.py").symlink_to("x")
    new_repository(root / "other")
    index = (root / ".git/index").read_bytes()
    found = repository.uncommitted(ignoring=("spec.md",))
    assert found == (
        Uncommitted("?", ".gitignore"),
        Uncommitted("M", "README.md"),
        Uncommitted("?", "new dir/a b"),
        Uncommitted("D", "src/a.py"),
        Uncommitted("T", "src/deep/b.py"),
        Uncommitted("A", "staged"),
    )
    assert (root / ".git/index").read_bytes() == index


def test_the_tree_of_a_key_has_neither_our_folder_nor_the_spec(root: Path, repository: Repository) -> None:
    tree = repository.head().tree
    key = repository.key_tree(tree, without=("spec.md", "src/deep/b.py", "absent/file", "README.md/x"))
    assert key == tree_after(root, {}, "spec.md", "src/deep/b.py", ".gump/workflows/w.yaml")
    assert repository.key_tree(key, without=()) == key
    everything = tuple(repository.paths(tree))
    assert repository.key_tree(tree, without=everything) == EMPTY_TREE


def test_the_digest_of_entries_moves_with_the_matching_files_only(root: Path, repository: Repository) -> None:
    tree = repository.head().tree
    digest = repository.digest_of_entries(tree, ["src/**"])
    assert len(digest) == 64
    elsewhere = tree_after(root, {"README.md": "other\n", "src-x/d": "d"})
    assert repository.digest_of_entries(elsewhere, ["src/**"]) == digest
    for files in ({"src/a.py": "A\n"}, {"src/new": ""}):
        assert repository.digest_of_entries(tree_after(root, dict(files)), ["src/**"]) != digest
    (root / "src/a.py").chmod(0o755)
    assert repository.digest_of_entries(tree_after(root, {}), ["src/**"]) != digest


def test_reading_and_listing(root: Path, repository: Repository) -> None:
    (root / "link").symlink_to("README.md")
    commit(root)
    tree = repository.head().tree
    assert repository.read(tree, "src/deep/b.py") == b"b\n"
    assert repository.read(tree, os.fsdecode(b"caf\xe9")) == b"latin\n"
    assert [repository.read(tree, path) for path in ("link", "src", "absent", "README.md/x", "")] == [None] * 5
    assert sorted(repository.paths(tree)) == sorted(git(root, "ls-files", "-z").rstrip("\0").split("\0"))
    with pytest.raises(GitError):
        repository.read("0" * 40, "x")


def test_changes_are_those_of_git(root: Path, repository: Repository) -> None:
    text = "".join(f"line {number}\n" for number in range(40))
    write(root, {"moved": text, "typed": "t\n", "bin": b"\0\1"})
    commit(root)
    old = repository.head().tree
    (root / "moved").rename(root / "to here")
    (root / "typed").unlink()
    (root / "typed").symlink_to("x")
    (root / "README.md").chmod(0o755)
    write(root, {"to here": text + "one more\n", "bin": b"\0\2", "src/a.py": "a\nb\n", "n\nl": "x\n"})
    (root / "src-x/c.py").unlink()
    commit(root)
    new = repository.head().tree
    found = {
        change.path: (change.status, change.old_path, change.added, change.removed)
        for change in repository.changed(old, new)
    }
    assert found == {
        "README.md": ("M", "README.md", 0, 0),
        "bin": ("M", "bin", 0, 0),
        "n\nl": ("A", "n\nl", 1, 0),
        "src-x/c.py": ("D", "src-x/c.py", 0, 1),
        "src/a.py": ("M", "src/a.py", 1, 0),
        "to here": ("R", "moved", 1, 0),
        "typed": ("T", "typed", 0, 0),
    }
    assert [change.path for change in repository.changed(old, new) if change.binary] == ["bin"]
    assert repository.changed(old, old) == ()


def test_a_diff_is_the_text_that_git_prints(root: Path, repository: Repository) -> None:
    old = repository.head().tree
    new = tree_after(root, {"README.md": "hello\nworld  \n", "src/a.py": "no line end", "é x": "new\n"}, "spec.md")
    said_by_git = [line.rstrip("\t") for line in git(root, "diff", "--abbrev=7", old, new).splitlines()]
    assert repository.diff(old, new).splitlines() == said_by_git
    assert repository.diff(old, old) == ""


def test_a_diff_does_not_depend_on_anyones_settings(root: Path, tmp_path: Path) -> None:
    old = git(root, "rev-parse", "HEAD^{tree}")
    new = tree_after(root, {"README.md": "HELLO\n", "bytes": b"\xff\xfe ok\n", "lock": "x\n"})
    plain = Repository.discover(root).diff(old, new)
    assert "+\\xff\\xfe ok" in plain
    home = tmp_path / "home"
    settings_text = (
        "[diff]\n noprefix = true\n mnemonicprefix = true\n context = 9\n external = false\n[core]\n abbrev = 20\n"
    )
    write(home, {".gitconfig": settings_text})
    write(root, {".git/config": (root / ".git/config").read_text() + settings_text, ".gitattributes": "* -diff\n"})
    code = (
        "import sys; from pathlib import Path; from runtime.repository import Repository\n"
        "sys.stdout.buffer.write(Repository.discover(Path(sys.argv[1])).diff(*sys.argv[2:]).encode())\n"
    )
    environment = {**os.environ, "HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(root), old, new], env=environment, capture_output=True, check=True
    )
    assert done.stdout.decode() == plain


def test_merges(root: Path, repository: Repository) -> None:
    base = repository.head().tree
    ours = tree_after(root, {"README.md": "hello  \n\n", "ours": b"\0\1", "src/a.py": "a\n"}, "spec.md")
    theirs = tree_after(root, {"src/a.py": "A  \n", "theirs": "t \n"}, "src-x/c.py")
    both = tree_after(
        root,
        {"README.md": "hello  \n\n", "ours": b"\0\1", "src/a.py": "A  \n", "theirs": "t \n"},
        "spec.md",
        "src-x/c.py",
    )
    assert repository.merge(base=base, ours=ours, theirs=theirs).tree == both
    assert repository.merge(base=base, ours=base, theirs=theirs).tree == theirs
    assert repository.merge(base=base, ours=ours, theirs=base).tree == ours
    assert repository.merge(base=base, ours=ours, theirs=ours).tree == ours


def test_a_merge_follows_a_rename_and_keeps_modes_and_links(root: Path, repository: Repository) -> None:
    text = "".join(f"line {number}\n" for number in range(30))
    write(root, {"old name": text})
    commit(root)
    base = repository.head().tree
    ours = tree_after(root, {"new/name": text}, "old name")
    (root / "README.md").chmod(0o755)
    (root / "link").symlink_to("x")
    theirs = tree_after(root, {"old name": text.replace("line 3\n", "LINE 3\n")})
    tree = repository.merge(base=base, ours=ours, theirs=theirs).tree
    assert tree is not None
    assert b"LINE 3\n" in (repository.read(tree, "new/name") or b"")
    listed = git(root, "ls-tree", tree, "README.md", "link", "old name")
    assert [line.split()[0] for line in listed.splitlines()] == ["100755", "120000"]


@pytest.mark.parametrize(
    ("ours", "theirs", "path"),
    [
        ({"README.md": "ours\n"}, {"README.md": "theirs\n"}, "README.md"),
        ({"bin": b"\0ours"}, {"bin": b"\0theirs"}, "bin"),
        ({"thing": "file\n"}, {"thing/inside": "folder\n"}, "thing"),
        ({"src/a.py": None}, {"src/a.py": "changed\n"}, "src/a.py"),
    ],
)
def test_conflicts_name_their_files(
    root: Path,
    repository: Repository,
    ours: dict[str, str | bytes | None],
    theirs: dict[str, str | bytes | None],
    path: str,
) -> None:
    trees = []
    for files in (ours, theirs):
        gone = [name for name, content in files.items() if content is None]
        trees.append(tree_after(root, {name: content for name, content in files.items() if content is not None}, *gone))
    merged = repository.merge(base=repository.head().tree, ours=trees[0], theirs=trees[1])
    assert merged.tree is None
    assert path in merged.conflicts


NAMES = ["a", "b", "c/d", "c/e", "f/g/h", "f"]
FILES = st.dictionaries(st.sampled_from(NAMES), st.tuples(st.booleans(), st.booleans()), max_size=5).filter(
    lambda files: not {"f", "f/g/h"} <= set(files)
)


def different_files(chosen: dict[str, tuple[bool, bool]]) -> dict[str, str | bytes]:
    """Files too unlike each other to pass for renamed, each with or without an edit at its top and at its end."""
    return {
        name: f"{name} {top}\n" + "".join(f"{name} {n}\n" for n in range(12)) + f"{name} {end}\n"
        for name, (top, end) in chosen.items()
    }


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(base=FILES, ours=FILES, theirs=FILES)
def test_a_merge_agrees_with_git(
    tmp_path_factory: pytest.TempPathFactory,
    base: dict[str, tuple[bool, bool]],
    ours: dict[str, tuple[bool, bool]],
    theirs: dict[str, tuple[bool, bool]],
) -> None:
    root = new_repository(tmp_path_factory.mktemp("merge") / "repo", different_files(base))
    repository = Repository.discover(root)
    start = repository.head()
    trees, commits = [], []
    for chosen in (ours, theirs):
        git(root, "rm", "-rqf", "--ignore-unmatch", ".")
        trees.append(tree_after(root, different_files(chosen)))
        commits.append(repository.commit(trees[-1], parents=[start.commit], message="side"))
    merged = repository.merge(base=start.tree, ours=trees[0], theirs=trees[1])
    tree, *conflicts = git(root, "merge-tree", "--write-tree", "--no-messages", *commits, check=False).splitlines()
    assert merged.tree == (None if conflicts else tree)
    shutil.rmtree(root)


def test_a_commit_moves_nothing_and_names_someone(root: Path, repository: Repository) -> None:
    head = repository.head()
    made = repository.commit(head.tree, parents=[head.commit], message="subject\n\nGump-Run: x\n", author="claude <x>")
    assert git(root, "rev-parse", "HEAD") == head.commit
    shown = git(root, "log", "-1", "--format=%P|%T|%s|%an|%(trailers:key=Gump-Run,valueonly,separator=)", made)
    assert shown == f"{head.commit}|{head.tree}|subject|claude  x|x"
    git(root, "config", "user.name", "Ann")
    git(root, "config", "user.email", "ann@example.org")
    by_user = repository.commit(head.tree, parents=[], message="m")
    assert git(root, "log", "-1", "--format=%an %ae %cn", by_user) == "Ann ann@example.org Ann"
    assert git(root, "fsck", "--strict", check=False) == git(root, "fsck", check=False)


def test_refs_of_ours(root: Path, repository: Repository) -> None:
    head = repository.head()
    repository.set_ref("refs/gumpc/runs/1", head.commit)
    repository.set_ref("refs/gumpc/cache/ab", head.tree)
    git(root, "pack-refs", "--all")
    repository.set_ref("refs/gumpc/runs/2", head.commit)
    repository.set_ref("refs/gumpc/runs/1", head.commit)
    assert repository.refs("refs/gumpc/runs/") == {"refs/gumpc/runs/1": head.commit, "refs/gumpc/runs/2": head.commit}
    assert repository.ref("refs/gumpc/cache/ab") == head.tree == git(root, "rev-parse", "refs/gumpc/cache/ab")
    repository.delete_ref("refs/gumpc/runs/1")
    repository.delete_ref("refs/gumpc/runs/1")
    assert repository.ref("refs/gumpc/runs/1") is None
    with pytest.raises(ValueError, match="not a ref of ours"):
        repository.set_ref("refs/heads/main", head.commit)
    with pytest.raises(ValueError, match="not a ref of ours"):
        repository.set_ref("refs/gumpc/../heads/main", head.commit)
    with pytest.raises(GitError):
        repository.set_ref("refs/gumpc/runs/3", "1" * 40)


def test_a_lock_that_a_killed_process_left_on_our_ref_does_not_matter(root: Path, repository: Repository) -> None:
    (root / ".git/refs/gumpc/runs").mkdir(parents=True)
    (root / ".git/refs/gumpc/runs/1.lock").write_text("half")
    repository.set_ref("refs/gumpc/runs/1", repository.head().commit)
    assert repository.ref("refs/gumpc/runs/1") == repository.head().commit


def test_refs_are_written_by_one_process_at_a_time(root: Path, repository: Repository) -> None:
    code = (
        "import sys; from pathlib import Path; from runtime.repository import Repository\n"
        "r = Repository.discover(Path(sys.argv[1])); c = r.head().commit\n"
        "for n in range(60):\n"
        "    r.set_ref(f'refs/gumpc/shared/{n % 7}', c); r.set_ref(f'refs/gumpc/{sys.argv[2]}/{n}', c)\n"
        "    r.delete_ref(f'refs/gumpc/shared/{n % 5}')\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(root), name]) for name in ("x", "y", "z")]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len(repository.refs("refs/gumpc/x/")) == len(repository.refs("refs/gumpc/z/")) == 60


def test_missing_objects_are_known(root: Path, repository: Repository) -> None:
    head = repository.head()
    assert repository.has_objects(head.commit, head.tree)
    assert repository.has_objects()
    for absent in ("0" * 40, "1" * 40, "not hex", ""):
        assert not repository.has_objects(head.tree, absent)
