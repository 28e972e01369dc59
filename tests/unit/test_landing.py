"""Bringing a result into the user's branch: what it makes, what it refuses, and that it harms no file of the user's."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime.landing import FilesInTheWay, Landed, MergeConflict, Mode, OperationUnderWay, land, patch
from runtime.repository import GitError, Repository
from runtime.workspace import Slot, hide_runtime_files, working_tree
from tests.unit.git_cli import commit, git, new_repository, write

FILES: dict[str, str | bytes] = {
    "README.md": "one\ntwo\nthree\n",
    "src/a.py": "a\n",
    "src/b.py": "b\n",
    "binary": bytes(range(256)),
    "CLAUDE.md": "the user's  \n\n",
    "old dir/x": "x\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = new_repository(tmp_path / "repo", FILES)
    hide_runtime_files(root)
    return root


@pytest.fixture
def repository(root: Path) -> Repository:
    return Repository.discover(root)


def result_of(repository: Repository, files: dict[str, str | bytes], *gone: str) -> str:
    """The tree of a run that started from HEAD, wrote `files` and removed `gone`."""
    head = repository.head()
    with Slot.acquire(repository, "main") as slot:
        slot.goto(head.tree, commit=head.commit)
        for name in gone:
            (slot.path / name).unlink()
        write(slot.path, files)
        return slot.snapshot(base=head.tree)


def bring_in(repository: Repository, base: str, tree: str, mode: Mode = "merge") -> Landed:
    return land(repository, base=base, result_tree=tree, run_id="0192-abc", title="Add a\nfeature ", mode=mode)


def state(root: Path) -> tuple[str, str, str]:
    return git(root, "rev-parse", "HEAD"), git(root, "status", "--porcelain"), git(root, "for-each-ref", "refs/heads")


def test_a_merge_has_the_result_as_one_plain_commit(root: Path, repository: Repository) -> None:
    base = repository.head().commit
    tree = result_of(repository, {"src/new.py": "new\n", "README.md": "one\ntwo\nthree\nfour\n"}, "src/b.py")
    landed = bring_in(repository, base, tree)
    assert landed.commit == git(root, "rev-parse", "main")
    assert git(root, "status", "--porcelain") == ""
    assert git(root, "rev-parse", "HEAD^{tree}") == tree
    assert (
        git(root, "log", "-1", "--format=%s|%(trailers:key=Gump-Run,valueonly,separator=)")
        == "Merge: Add a feature|0192-abc"
    )
    first, second = git(root, "log", "-1", "--format=%P").split()
    assert first == base
    assert git(root, "log", "-1", "--format=%P|%B", second) == f"{base}|Add a feature\n"
    assert [change.path for change in landed.changes] == ["README.md", "src/b.py", "src/new.py"]
    assert not (root / "src/b.py").exists()
    assert git(root, "fsck") == ""


def test_a_squash_is_a_single_commit(root: Path, repository: Repository) -> None:
    base = repository.head().commit
    bring_in(repository, base, result_of(repository, {"x": "x\n"}), "squash")
    assert (
        git(root, "log", "-1", "--format=%P|%s|%(trailers:key=Gump-Run,valueonly,separator=)")
        == f"{base}|Add a feature|0192-abc"
    )
    assert git(root, "status", "--porcelain") == ""


def test_it_merges_with_what_the_user_committed_meanwhile(root: Path, repository: Repository) -> None:
    base = repository.head().commit
    tree = result_of(repository, {"README.md": "ONE\ntwo\nthree\n", "n": "n\n"})
    write(root, {"README.md": "one\ntwo\nthree\nuser\n", "user": "user  \n"})
    mine = commit(root)
    bring_in(repository, base, tree)
    assert (root / "README.md").read_text() == "ONE\ntwo\nthree\nuser\n"
    assert (root / "user").read_text() == "user  \n"
    assert git(root, "log", "-1", "--format=%P").split()[0] == mine
    assert git(root, "status", "--porcelain") == ""


def test_a_conflict_changes_nothing_and_names_the_files(root: Path, repository: Repository) -> None:
    base = repository.head().commit
    tree = result_of(repository, {"README.md": "agent\n", "binary": b"\0agent", "fine": "fine\n"}, "src/a.py")
    write(root, {"README.md": "user\n", "binary": b"\0user", "src/a.py": "changed\n"})
    commit(root)
    before = state(root)
    with pytest.raises(MergeConflict) as refused:
        bring_in(repository, base, tree)
    assert refused.value.paths == ("README.md", "binary", "src/a.py")
    assert "README.md" in refused.value.message
    assert state(root) == before


@pytest.mark.parametrize(
    "kind", ["edited", "staged", "staged then put back", "deleted", "mode", "link", "replaced by a folder"]
)
def test_uncommitted_work_in_the_way_is_refused(root: Path, repository: Repository, kind: str) -> None:
    base = repository.head().commit
    tree = result_of(repository, {"src/a.py": "agent\n", "other": "x\n"})
    file = root / "src/a.py"
    if kind in {"edited", "staged", "staged then put back"}:
        file.write_text("user\n")
    if kind.startswith("staged"):
        git(root, "add", "src/a.py")
    if kind == "staged then put back":
        file.write_text("a\n")
    if kind == "mode":
        file.chmod(0o755)
    if kind in {"deleted", "link", "replaced by a folder"}:
        file.unlink()
    if kind == "link":
        file.symlink_to("b.py")
    if kind == "replaced by a folder":
        write(root, {"src/a.py/x": "x"})
    before = state(root)
    with pytest.raises(FilesInTheWay) as refused:
        bring_in(repository, base, tree)
    assert refused.value.paths == ("src/a.py",)
    assert state(root) == before
    assert not (root / "other").exists()


@pytest.mark.parametrize("name", ["fresh", "fresh/below", "dir.log"])
def test_files_that_are_not_tracked_are_never_overwritten(root: Path, repository: Repository, name: str) -> None:
    base = repository.head().commit
    tree = result_of(repository, {"fresh" if name != "dir.log" else "dir.log/x": "agent\n"})
    write(root, {name: "the user's\n"})
    (root / ".git/info/exclude").write_text("*.log\n")
    before = state(root)
    with pytest.raises(FilesInTheWay):
        bring_in(repository, base, tree)
    assert (root / name).read_text() == "the user's\n"
    assert state(root) == before


def test_a_symlink_above_a_new_file_is_not_followed(root: Path, repository: Repository, tmp_path: Path) -> None:
    base = repository.head().commit
    tree = result_of(repository, {"src/new.py": "agent\n"})
    outside = tmp_path / "outside"
    shutil.move(root / "src", outside)
    (root / "src").symlink_to(outside)
    with pytest.raises(FilesInTheWay):
        bring_in(repository, base, tree)
    assert sorted(entry.name for entry in outside.iterdir()) == ["a.py", "b.py"]


def test_work_elsewhere_is_left_as_it_is(root: Path, repository: Repository) -> None:
    base = repository.head().commit
    tree = result_of(repository, {"src/a.py": "agent\n"})
    write(root, {"README.md": "edited\n", "untracked": "u\n", "src/b.py": "staged\n"})
    git(root, "add", "src/b.py")
    bring_in(repository, base, tree)
    assert git(root, "status", "--porcelain").splitlines() == [" M README.md", "M  src/b.py", "?? untracked"]
    assert git(root, "show", "HEAD:src/b.py") == "b"
    assert (root / "CLAUDE.md").read_text() == "the user's  \n\n"


def test_odd_files_come_through(root: Path, repository: Repository) -> None:
    base = repository.head().commit
    with Slot.acquire(repository, "main") as slot:
        head = repository.head()
        slot.goto(head.tree, commit=head.commit)
        write(
            slot.path, {"-x y/é\n": "odd\n", "crlf": "a\r\nb\r\n", "empty": "", "bin": b"\0\xff", "tail": "x  \n\n\n"}
        )
        write(slot.path, {os.fsdecode(b"caf\xe9"): "latin\n"})
        (slot.path / "link").symlink_to("/nowhere")
        (slot.path / "src/a.py").chmod(0o755)
        shutil.rmtree(slot.path / "old dir")
        (slot.path / "old dir").write_text("a file now\n")
        (slot.path / "README.md").unlink()
        write(slot.path, {"README.md/inside": "a folder now\n"})
        tree = slot.snapshot(base=head.tree)
    bring_in(repository, base, tree)
    assert git(root, "status", "--porcelain") == ""
    assert git(root, "rev-parse", "HEAD^{tree}") == tree
    assert os.access(root / "src/a.py", os.X_OK)
    assert os.readlink(root / "link") == "/nowhere"
    assert (root / "crlf").read_bytes() == b"a\r\nb\r\n"
    git(root, "read-tree", "HEAD")
    git(root, "add", "-A")
    assert git(root, "write-tree") == tree


def test_line_ends_follow_the_attributes(root: Path, repository: Repository) -> None:
    write(root, {".gitattributes": "*.bat text eol=crlf\n"})
    base = commit(root)
    bring_in(repository, base, result_of(repository, {"x.bat": "one\r\ntwo\r\n"}))
    assert (root / "x.bat").read_bytes() == b"one\r\ntwo\r\n"
    assert git(root, "cat-file", "-p", "HEAD:x.bat") == "one\ntwo"
    assert git(root, "status", "--porcelain") == ""


def test_nothing_to_merge_is_said(root: Path, repository: Repository) -> None:
    base = repository.head()
    assert bring_in(repository, base.commit, base.tree) == Landed(None, ())
    tree = result_of(repository, {"x": "x\n"})
    first = bring_in(repository, base.commit, tree)
    assert bring_in(repository, base.commit, tree) == Landed(None, ())
    assert repository.head().commit == first.commit


def test_a_detached_head_moves_and_no_branch_does(root: Path, repository: Repository) -> None:
    base = repository.head().commit
    tree = result_of(repository, {"x": "x\n"})
    git(root, "checkout", "-q", "--detach")
    landed = bring_in(repository, base, tree)
    assert repository.head().commit == landed.commit
    assert repository.head().branch is None
    assert git(root, "rev-parse", "main") == base


def test_a_merge_under_way_is_refused(root: Path, repository: Repository) -> None:
    base = repository.head().commit
    tree = result_of(repository, {"x": "x\n"})
    git(root, "checkout", "-q", "-b", "side")
    write(root, {"README.md": "side\n"})
    commit(root)
    git(root, "checkout", "-q", "main")
    write(root, {"README.md": "main\n"})
    commit(root)
    git(root, "merge", "side", check=False)
    with pytest.raises(OperationUnderWay, match="merge"):
        bring_in(repository, base, tree)


def test_a_base_outside_the_branch_brings_in_the_result_alone(root: Path, repository: Repository) -> None:
    head = repository.head()
    write(root, {"wip": "not committed\n"})
    dirty = repository.commit(working_tree(repository), parents=[head.commit], message="wip")
    with Slot.acquire(repository, "main") as slot:
        slot.goto(repository.tree_of(dirty), commit=dirty)
        assert (slot.path / "wip").exists()
        write(slot.path, {"src/a.py": "agent\n"})
        tree = slot.snapshot(base=repository.tree_of(dirty))
    bring_in(repository, dirty, tree)
    assert git(root, "status", "--porcelain") == "?? wip"
    assert dirty not in git(root, "rev-list", "HEAD")
    assert git(root, "diff", "--name-only", head.commit, "HEAD") == "src/a.py"


def test_submodules_move_by_their_entry_only(root: Path, repository: Repository, tmp_path: Path) -> None:
    library = new_repository(tmp_path / "library")
    git(root, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "lib")
    base = commit(root)
    write(root / "lib", {"dirt": "the user's"})
    bring_in(repository, base, result_of(repository, {"x": "x\n"}))
    assert (root / "lib/dirt").exists()
    assert git(root, "ls-tree", "HEAD", "lib").startswith("160000")


def test_no_hook_runs(root: Path, repository: Repository, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    for hook in [
        "pre-commit",
        "commit-msg",
        "post-commit",
        "pre-merge-commit",
        "post-merge",
        "post-checkout",
        "reference-transaction",
    ]:
        (root / ".git/hooks" / hook).write_text(f"#!/bin/sh\ntouch '{canary}'\n")
        (root / ".git/hooks" / hook).chmod(0o755)
    git(root, "config", "commit.gpgsign", "true")
    git(root, "config", "gpg.program", f"touch {canary}")
    bring_in(repository, repository.head().commit, result_of(repository, {"x": "x\n"}))
    assert not canary.exists()


def test_what_the_result_has_below_our_folder_stays_out(root: Path, repository: Repository) -> None:
    base = repository.head().commit
    write(root, {".gump/workflows/w.yaml": "mine\n", "x": "x\n"})
    git(root, "add", "-A")
    tree = git(root, "write-tree")
    git(root, "rm", "-q", "--cached", "-r", ".gump", "x")
    (root / "x").unlink()
    landed = bring_in(repository, base, tree)
    assert [change.path for change in landed.changes] == ["x"]


def test_in_a_sparse_checkout_files_left_out_are_not_taken_for_deleted(root: Path, repository: Repository) -> None:
    base = repository.head().commit
    tree = result_of(repository, {"src/a.py": "agent\n"})
    git(root, "sparse-checkout", "set", "--no-cone", "/README.md")
    assert not (root / "src/a.py").exists()
    bring_in(repository, base, tree)
    assert git(root, "show", "HEAD:src/a.py") == "agent"


def test_a_patch_applies_with_git(root: Path, repository: Repository) -> None:
    base = repository.head().commit
    tree = result_of(
        repository, {"binary": b"\0new\xff", "src/new é.py": b"latin \xe9\n", "src/a.py": "no line end"}, "old dir/x"
    )
    git(root, "apply", "--index", stdin=patch(repository, base=base, result_tree=tree))
    assert git(root, "write-tree") == tree


@pytest.mark.slow
def test_a_kill_at_any_moment_can_be_gone_on_from(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {f"d{n % 5}/f{n}": f"{n}\n" * 30 for n in range(200)}
    root = new_repository(tmp_path / "repo", files | {"CLAUDE.md": "the user's\n"})
    repository = Repository.discover(root)
    base = repository.head().commit
    changed: dict[str, str | bytes] = {f"d{n % 5}/f{n}": f"changed {n}\n" for n in range(0, 200, 2)}
    tree = result_of(repository, changed | {"new/x": "x\n"}, *(f"d{n % 5}/f{n}" for n in range(1, 100, 2)))
    code = (
        "import sys; from pathlib import Path\n"
        "from runtime.landing import land; from runtime.repository import Repository\n"
        "r = Repository.discover(Path(sys.argv[1])); print('go', flush=True)\n"
        "land(r, base=sys.argv[2], result_tree=sys.argv[3], run_id='r', title='t', mode='squash')\n"
    )
    killed = 0
    for turn in range(24):
        with subprocess.Popen([sys.executable, "-c", code, str(root), base, tree], stdout=subprocess.PIPE) as victim:
            assert victim.stdout is not None
            victim.stdout.readline()
            time.sleep(turn * 0.004)
            victim.send_signal(signal.SIGKILL)
        killed += victim.returncode != 0
        # As after a kill of git itself, the user is told of a lock that was left, and removes it.
        for lock in ("index.lock", "refs/heads/main.lock"):
            (root / ".git" / lock).unlink(missing_ok=True)
        bring_in(repository, base, tree, "squash")
        assert git(root, "rev-parse", "HEAD^{tree}") == tree
        assert git(root, "status", "--porcelain") == ""
        git(root, "reset", "-q", "--hard", base)
        git(root, "clean", "-fdq")
    assert killed > 3


def test_a_lock_that_another_program_holds_is_told(root: Path, repository: Repository) -> None:
    base = repository.head().commit
    tree = result_of(repository, {"x": "x\n"})
    for lock in ("index.lock", "refs/heads/main.lock"):
        (root / ".git" / lock).touch()
        with pytest.raises(GitError, match="lock"):
            bring_in(repository, base, tree)
        assert git(root, "rev-parse", "main") == base
        (root / ".git" / lock).unlink()
    bring_in(repository, base, tree)
    assert git(root, "status", "--porcelain") == ""
