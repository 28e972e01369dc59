"""Slots: the files of a tree in, the tree of the files out, whatever an agent does in between."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.repository import GitError, Repository
from runtime.workspace import EmptySlot, Slot, SlotBusy, hide_runtime_files, working_tree
from tests.unit.git_cli import ENVIRONMENT, commit, git, new_repository, tree_of_files, write

ODD_FILES: dict[str, str | bytes] = {
    ".gitignore": "*.log\n/node_modules/\n",
    "README.md": "hello\n",
    "a b/c d.txt": "space\n",
    "new\nline": "x\n",
    "-leading": "dash\n",
    "ünïcode/日本.txt": "u\n",
    os.fsdecode(b"latin\xe9"): "l\n",
    "binary": bytes(range(256)) * 9,
    "empty": "",
    "crlf.txt": "one\r\ntwo\r\n",
    "trailing": "space  \n\n\n",
    "glob*[x]?": "wild\n",
    "Case": "upper\n",
    "case": "lower\n",
    "deep/er/still/file": "down\n",
    ".gump/workflows/w.yaml": "steps: []\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = new_repository(tmp_path / "repo", ODD_FILES)
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("a b/c d.txt")
    (root / "dangling").symlink_to("/nowhere/at/all")
    (root / "folder-link").symlink_to("deep")
    commit(root)
    return root


@pytest.fixture
def repository(root: Path) -> Repository:
    return Repository.discover(root)


@pytest.fixture
def slot(repository: Repository) -> Iterator[Slot]:
    with Slot.acquire(repository, "main", run_id="run-1") as slot:
        head = repository.head()
        slot.goto(head.tree, commit=head.commit)
        yield slot


def go_home(slot: Slot, repository: Repository) -> str:
    head = repository.head()
    slot.goto(head.tree, commit=head.commit)
    return head.tree


def fingerprint(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Every file of a folder but `.git` and `.gump`: kind and content."""
    found = {}
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in {".git", ".gump"}]
        for name in [*files, *(name for name in folders if os.path.islink(os.path.join(parent, name)))]:
            path = Path(parent) / name
            if name == ".git":
                continue
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                found[str(path.relative_to(folder))] = ("link", os.fsencode(os.readlink(path)))
            elif stat.S_ISREG(mode):
                kind = "run" if mode & 0o100 else "file"
                found[str(path.relative_to(folder))] = (kind, path.read_bytes())
    return found


def test_the_files_are_those_of_the_tree(slot: Slot, root: Path) -> None:
    assert fingerprint(slot.path) == fingerprint(root)
    assert (slot.path / ".gump/workflows/w.yaml").read_text() == "steps: []\n"


def test_git_works_in_the_slot_and_finds_it_clean(slot: Slot, root: Path, repository: Repository) -> None:
    assert git(slot.path, "status", "--porcelain") == ""
    assert git(slot.path, "diff", "--stat") == ""
    assert git(slot.path, "log", "-1", "--format=%s") == "more"
    assert git(slot.path, "rev-parse", "HEAD") == repository.head().commit
    assert git(slot.path, "rev-parse", "--abbrev-ref", "HEAD") == "HEAD"
    assert str(slot.path) in git(root, "worktree", "list")
    write(slot.path, {"README.md": "changed\n"})
    assert git(slot.path, "status", "--porcelain") == " M README.md"


def test_the_users_repository_stays_clean_and_its_housekeeping_does_no_harm(
    slot: Slot, root: Path, repository: Repository
) -> None:
    hide_runtime_files(root)
    assert git(root, "status", "--porcelain") == ""
    write(slot.path, {"new.txt": "new\n"})
    tree = slot.snapshot(base=repository.head().tree)
    repository.set_ref("refs/gumpc/runs/x", repository.commit(tree, parents=[], message="x"))
    git(root, "gc", "-q", "--prune=now")
    git(root, "worktree", "prune")
    assert slot.snapshot(base=repository.head().tree) == tree
    go_home(slot, repository)
    slot.goto(tree, commit=repository.head().commit)
    assert (slot.path / "new.txt").read_text() == "new\n"
    assert git(root, "fsck", "--no-dangling") == ""


def test_a_snapshot_of_untouched_files_is_the_tree(slot: Slot, repository: Repository) -> None:
    tree = repository.head().tree
    assert slot.snapshot(base=tree) == tree
    assert slot.snapshot(base=tree) == tree


def test_every_kind_of_edit_is_taken(slot: Slot, repository: Repository, tmp_path: Path) -> None:
    path = slot.path
    write(path, {"README.md": "other\n", "new dir/ünï\ncode": "x", "-x/-y": "", "b.log": "ignored", "un/*": "star"})
    write(path, {os.fsdecode(b"caf\xe9"): b"\xff\0\n"})
    (path / "run.sh").chmod(0o644)
    (path / "empty").chmod(0o755)
    (path / "binary").unlink()
    shutil.rmtree(path / "deep")
    (path / "deep").write_text("a file now\n")
    (path / "crlf.txt").unlink()
    write(path, {"crlf.txt/inside": "a folder now\n"})
    (path / "link").unlink()
    (path / "link").write_text("no link any more\n")
    (path / "trailing").unlink()
    (path / "trailing").symlink_to("/etc/passwd")
    (path / "Case").rename(path / "CASE")
    expected = twin(slot, tmp_path, repository)
    assert slot.snapshot(base=repository.head().tree) == expected


def twin(slot: Slot, tmp_path: Path, repository: Repository) -> str:
    """The tree that git makes of a copy of the slot's files, in a clone."""
    clone = tmp_path / "twin"
    git(tmp_path, "clone", "-q", "--no-checkout", str(repository.root), str(clone))
    for entry in slot.path.iterdir():
        if entry.name != ".git":
            subprocess.run(["cp", "-a", str(entry), str(clone)], check=True)
    tree = tree_of_files(clone)
    git(repository.root, "fetch", "-q", str(clone), git(clone, "commit-tree", "-m", "x", tree), check=False)
    shutil.rmtree(clone)
    return tree


def test_going_back_undoes_everything(slot: Slot, root: Path, repository: Repository) -> None:
    test_every_kind_of_edit_on(slot.path)
    tree = go_home(slot, repository)
    assert fingerprint(slot.path) == {
        **fingerprint(root),
        "b.log": ("file", b"ignored"),
        "node_modules/x/index.js": ("file", b"kept"),
    }
    assert git(slot.path, "status", "--porcelain") == ""
    assert slot.snapshot(base=tree) == tree


def test_every_kind_of_edit_on(path: Path) -> None:
    write(path, {"README.md": "other\n", "untracked/x": "x", "b.log": "ignored", "node_modules/x/index.js": "kept"})
    shutil.rmtree(path / "deep")
    (path / "deep").symlink_to("/etc")
    (path / "crlf.txt").unlink()
    write(path, {"crlf.txt/inside/more": "a folder now\n"})
    (path / "run.sh").chmod(0o644)
    (path / "empty").unlink()


test_every_kind_of_edit_on.__test__ = False  # type: ignore[attr-defined]


def test_it_goes_between_trees_writing_only_what_differs(slot: Slot, root: Path, repository: Repository) -> None:
    first = repository.head()
    write(root, {"README.md": "second\n", "added/x": "x\n"})
    shutil.rmtree(root / "deep")
    write(root, {"deep": "now a file\n"})
    (root / "link").unlink()
    write(root, {"link/x": "now a folder\n"})
    second = commit(root)
    before = (slot.path / "binary").stat()
    slot.goto(repository.tree_of(second), commit=second)
    assert fingerprint(slot.path) == fingerprint(root)
    after = (slot.path / "binary").stat()
    assert (before.st_ino, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_ino,
        after.st_mtime_ns,
        after.st_ctime_ns,
    )
    slot.goto(first.tree, commit=first.commit)
    git(root, "checkout", "-q", first.commit)
    assert fingerprint(slot.path) == fingerprint(root)


def test_an_edit_of_the_same_size_in_the_same_instant_is_seen(slot: Slot, repository: Repository) -> None:
    base = repository.head().tree
    for turn in range(150):
        go_home(slot, repository)
        (slot.path / "README.md").write_bytes(b"h%04d\n" % turn)
        tree = slot.snapshot(base=base)
        assert repository.read(tree, "README.md") == b"h%04d\n" % turn
        (slot.path / "README.md").write_bytes(b"i%04d\n" % turn)
        assert repository.read(slot.snapshot(base=base), "README.md") == b"i%04d\n" % turn


def test_an_edit_behind_a_faked_mtime_is_seen_and_undone(slot: Slot, repository: Repository) -> None:
    file = slot.path / "README.md"
    old = file.stat()
    file.write_bytes(b"HELLO\n")
    os.utime(file, ns=(old.st_atime_ns, old.st_mtime_ns))
    tree = slot.snapshot(base=repository.head().tree)
    assert repository.read(tree, "README.md") == b"HELLO\n"
    go_home(slot, repository)
    old = file.stat()
    file.write_bytes(b"HELLO\n")
    os.utime(file, ns=(old.st_atime_ns, old.st_mtime_ns))
    go_home(slot, repository)
    assert file.read_bytes() == b"hello\n"


@pytest.mark.parametrize(
    "script",
    [
        "git add -A && git commit -q -m mine",
        "git commit -q -a -m mine; git reset -q --hard HEAD~1; echo edited >README.md; echo new >new.txt",
        "git checkout -q -b agents-branch; git add -A; git commit -q -m mine; git branch -f other",
        "git update-index --assume-unchanged README.md; git update-index --skip-worktree binary; echo 2 >binary",
        "git add -A; git rm -q --cached README.md; git stash list",
        "rm .git",
        "rm .git; git init -q .; git add -A; git commit -q -m mine",
        "rm .git; mkdir .git",
        "rm .git; ln -s /etc/passwd .git",
        "echo 'gitdir: /nonexistent' >.git",
        'git init -q ../../../../victim; echo "gitdir: $(cd ../../../../victim/.git; pwd)" >.git',
        'git worktree prune; rm -rf "$(git rev-parse --git-dir)"',
        "d=$(git rev-parse --git-dir); echo garbage >$d/index; echo garbage >$d/HEAD; touch $d/index.lock",
        "git sparse-checkout set deep; echo edited >README.md; echo new >new.txt",
    ],
)
def test_what_the_agent_does_with_git_is_of_no_account(
    slot: Slot, root: Path, repository: Repository, script: str
) -> None:
    write(slot.path, {"README.md": "edited\n", "new.txt": "new\n"})
    subprocess.run(["sh", "-c", script], cwd=slot.path, env=ENVIRONMENT, capture_output=True, check=False)
    tree = slot.snapshot(base=repository.head().tree)
    assert repository.read(tree, "README.md") == b"edited\n"
    assert repository.read(tree, "new.txt") == b"new\n"
    changed = {change.path for change in repository.changed(repository.head().tree, tree)}
    assert changed >= {"README.md", "new.txt"}
    assert git(root, "symbolic-ref", "HEAD") == "refs/heads/main"
    home = go_home(slot, repository)
    assert git(slot.path, "status", "--porcelain") == ""
    assert git(slot.path, "rev-parse", "HEAD") == repository.head().commit
    assert slot.snapshot(base=home) == home
    assert fingerprint(slot.path) == fingerprint(root)


def test_cleaning_everything_leaves_the_tree_and_the_out_folder_comes_back(slot: Slot, repository: Repository) -> None:
    slot.clear_out()
    write(slot.path, {"b.log": "ignored", ".gump/out/x.json": "{}"})
    git(slot.path, "clean", "-xdfq")
    assert not (slot.path / "b.log").exists()
    tree = repository.head().tree
    assert slot.snapshot(base=tree) == tree
    go_home(slot, repository)
    slot.clear_out()
    assert list(slot.out.iterdir()) == []
    assert git(slot.path, "status", "--porcelain") == ""


def test_nothing_below_the_runtime_folder_is_taken(slot: Slot, repository: Repository) -> None:
    base = repository.head().tree
    slot.clear_out()
    write(slot.path, {".gump/out/result.json": "{}", ".gump/workflows/w.yaml": "steps: [evil]\n", ".gump/x": "x"})
    write(slot.path, {".GUMP/workflows/w.yaml": "evil"})
    git(slot.path, "add", "-A", "--force")
    assert slot.snapshot(base=base) == base
    shutil.rmtree(slot.path / ".gump")
    assert slot.snapshot(base=base) == base


def test_a_symlink_in_place_of_our_folder_is_not_followed(slot: Slot, repository: Repository, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write(outside, {"out/precious": "keep", "workflows/w.yaml": "keep"})
    shutil.rmtree(slot.path / ".gump")
    (slot.path / ".gump").symlink_to(outside)
    assert slot.snapshot(base=repository.head().tree) == repository.head().tree
    slot.clear_out()
    assert not (slot.path / ".gump").is_symlink()
    shutil.rmtree(slot.path / ".gump")
    (slot.path / ".gump").symlink_to(outside)
    go_home(slot, repository)
    slot.clear_out()
    assert (outside / "out/precious").read_text() == "keep"
    assert sorted(entry.name for entry in outside.iterdir()) == ["out", "workflows"]
    assert (slot.path / ".gump/workflows/w.yaml").read_text() == "steps: []\n"


def test_a_folder_replaced_by_a_symlink_to_outside_is_not_followed(
    slot: Slot, root: Path, repository: Repository, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    write(outside, {"er/still/file": "precious"})
    shutil.rmtree(slot.path / "deep")
    (slot.path / "deep").symlink_to(outside)
    tree = slot.snapshot(base=repository.head().tree)
    assert repository.read(tree, "deep/er/still/file") is None
    go_home(slot, repository)
    assert (outside / "er/still/file").read_text() == "precious"
    assert fingerprint(slot.path) == fingerprint(root)


def test_litter_is_not_taken_unless_it_is_tracked(slot: Slot, root: Path, repository: Repository) -> None:
    write(root, {"kept.pyc": "tracked"})
    commit(root)
    base = go_home(slot, repository)
    write(
        slot.path,
        {
            "pkg/__pycache__/m.cpython-311.pyc": "x",
            "m.pyc": "x",
            "a.txt.tmp.31029.1760000000000": "half",
            "n.tmp": "ok",
        },
    )
    write(slot.path, {"kept.pyc": "changed"})
    tree = slot.snapshot(base=base)
    assert [change.path for change in repository.changed(base, tree)] == ["kept.pyc", "n.tmp"]
    slot.goto(tree, commit=repository.head().commit)
    assert not (slot.path / "m.pyc").exists()


def test_files_of_a_nested_repository_are_taken_without_its_git_folder(
    slot: Slot, root: Path, repository: Repository
) -> None:
    write(slot.path, {"app/src/main.c": "main\n", "app/x.log": "ignored"})
    git(slot.path, "init", "-q", "app")
    git(slot.path / "app", "add", "-A")
    git(slot.path / "app", "commit", "-q", "-m", "nested")
    git(slot.path, "init", "-q", "deep")
    write(slot.path, {"deep/er/still/file": "edited\n", "deep/new": "new\n"})
    tree = slot.snapshot(base=repository.head().tree)
    changed = [change.path for change in repository.changed(repository.head().tree, tree)]
    assert changed == ["app/src/main.c", "deep/er/still/file", "deep/new"]
    slot.goto(tree, commit=repository.head().commit)
    assert slot.snapshot(base=tree) == tree
    go_home(slot, repository)
    found = fingerprint(slot.path)
    found.pop("app/x.log", None)
    assert found == fingerprint(root)


def test_nothing_stays_of_a_nested_repository(slot: Slot, root: Path, repository: Repository) -> None:
    for folder in ("app", "deep"):
        git(slot.path, "init", "-q", folder)
    write(slot.path, {"app/main.c": "main\n"})
    go_home(slot, repository)
    assert not (slot.path / "app").exists()
    assert not (slot.path / "deep/.git").exists()
    assert fingerprint(slot.path) == fingerprint(root)


def test_a_file_behind_a_symlink_is_not_removed_with_the_one_it_stands_for(
    slot: Slot, root: Path, repository: Repository, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    write(outside, {"er/still/file": "precious"})
    shutil.rmtree(root / "deep")
    (root / "folder-link").unlink()
    without = commit(root)
    # A symlink that git ignores stays where it is.
    write(root, {".git/info/exclude": "/deep\n"})
    shutil.rmtree(slot.path / "deep")
    (slot.path / "deep").symlink_to(outside)
    slot.goto(repository.tree_of(without), commit=without)
    assert (outside / "er/still/file").read_text() == "precious"
    assert (slot.path / "deep").is_symlink()


def test_what_an_agent_or_a_killed_process_left_in_a_git_folder_goes(
    slot: Slot, root: Path, repository: Repository
) -> None:
    (private,) = (root / ".git/gumpc/slots").glob("main-*")
    (private / "index.lock").write_text("half an index")
    visible = Path(git(slot.path, "rev-parse", "--absolute-git-dir"))
    for name in ("MERGE_HEAD", "config.worktree", "rebase-merge/done"):
        write(visible, {name: repository.head().commit + "\n"})
    write(slot.path, {"README.md": "edited\n"})
    go_home(slot, repository)
    assert sorted(entry.name for entry in visible.iterdir()) == ["HEAD", "commondir", "gitdir", "index"]
    assert "merg" not in git(slot.path, "status")


def test_hiding_files_by_new_ignore_rules_does_not_carry_them_into_the_next_step(
    slot: Slot, repository: Repository
) -> None:
    write(slot.path, {".gitignore": "*\n", "junk/x": "junk", "src/y": "junk"})
    home = go_home(slot, repository)
    assert not (slot.path / "junk").exists()
    assert slot.snapshot(base=home) == home
    assert git(slot.path, "status", "--porcelain") == ""


def test_pipes_and_odd_names_are_harmless(slot: Slot, root: Path, repository: Repository) -> None:
    os.mkfifo(slot.path / "pipe")
    write(slot.path, {"m/.GIT/config": "[core]\n", "real": "x\n"})
    tree = slot.snapshot(base=repository.head().tree)
    assert [change.path for change in repository.changed(repository.head().tree, tree)] == ["real"]
    go_home(slot, repository)


def test_folders_without_permissions_are_restored(slot: Slot, root: Path, repository: Repository) -> None:
    (slot.path / "deep/er/still/file").write_text("edited")
    (slot.path / "deep/er").chmod(0o000)
    (slot.path / "ünïcode").chmod(0o500)
    go_home(slot, repository)
    (slot.path / "deep/er").chmod(0o755)
    assert fingerprint(slot.path) == fingerprint(root)


def test_submodules_pass_through(slot: Slot, root: Path, repository: Repository, tmp_path: Path) -> None:
    library = new_repository(tmp_path / "library")
    git(root, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "lib")
    commit(root)
    base = go_home(slot, repository)
    assert (slot.path / "lib").is_dir()
    assert git(slot.path, "status", "--porcelain") == ""
    write(slot.path, {"README.md": "x\n"})
    tree = slot.snapshot(base=base)
    assert [change.path for change in repository.changed(base, tree)] == ["README.md"]
    first = repository.resolve("HEAD~1")
    slot.goto(repository.tree_of(first), commit=first)
    assert not (slot.path / "lib").exists()
    assert git(slot.path, "status", "--porcelain") == ""
    assert go_home(slot, repository) == base


def test_line_ends_follow_the_attributes(slot: Slot, root: Path, repository: Repository, tmp_path: Path) -> None:
    write(root, {".gitattributes": "*.bat text eol=crlf\n*.id ident\n", "a.bat": "one\ntwo\n", "x.id": "$Id$\n"})
    write(root, {"+early.bat": "one\ntwo\n"})
    commit(root)
    base = go_home(slot, repository)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(root), str(clone))
    for name in ("a.bat", "+early.bat"):
        assert (slot.path / name).read_bytes() == (clone / name).read_bytes() == b"one\r\ntwo\r\n"
    assert git(slot.path, "status", "--porcelain") == ""
    assert slot.snapshot(base=base) == base


@pytest.mark.parametrize(
    "setting", ["core.autocrlf=true", "core.ignorecase=true", "core.filemode=false", "core.autocrlf=input"]
)
def test_settings_that_change_how_files_are_read(root: Path, repository: Repository, setting: str) -> None:
    (root / "Case").unlink()
    commit(root)
    git(root, "config", *setting.split("="))
    with Slot.acquire(repository, "odd") as slot:
        base = go_home(slot, repository)
        write(slot.path, {"README.md": "edited\n"})
        tree = slot.snapshot(base=base)
        assert "README.md" in [change.path for change in repository.changed(base, tree)]
        go_home(slot, repository)
        assert slot.snapshot(base=base) == slot.snapshot(base=base)


def test_nothing_planted_in_the_repository_runs(root: Path, repository: Repository, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    plant = tmp_path / "plant.sh"
    plant.write_text(f"#!/bin/sh\necho \"$0 $*\" >>'{canary}'\ncat\n")
    plant.chmod(0o755)
    write(root, {".gitattributes": "* filter=evil diff=evil merge=evil\n"})
    commit(root)
    for name in (
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "diff.evil.command",
        "diff.evil.textconv",
        "merge.evil.driver",
        "diff.external",
        "core.fsmonitor",
        "core.pager",
        "core.editor",
        "gpg.program",
        "core.sshCommand",
        "core.alternateRefsCommand",
        "credential.helper",
    ):
        git(root, "config", name, str(plant))
    git(root, "config", "commit.gpgsign", "true")
    git(root, "config", "core.hooksPath", str(tmp_path / "hooks"))
    hooks = "pre-commit post-commit post-checkout post-index-change reference-transaction post-merge prepare-commit-msg"
    for hook in hooks.split():
        for folder in (root / ".git/hooks", tmp_path / "hooks"):
            folder.mkdir(exist_ok=True)
            shutil.copy(plant, folder / hook)
    with Slot.acquire(repository, "planted") as slot:
        base = go_home(slot, repository)
        write(slot.path, {"README.md": "edited\n", "x": "x\n"})
        tree = slot.snapshot(base=base)
        repository.set_ref(
            "refs/gumpc/runs/y", repository.commit(tree, parents=[repository.head().commit], message="m")
        )
        repository.diff(base, tree)
        repository.uncommitted()
        working_tree(repository)
        repository.merge(base=base, ours=tree, theirs=base)
        slot.goto(base, commit=repository.head().commit)
    assert not canary.exists()


def test_a_held_slot_is_refused_with_its_holder(slot: Slot, repository: Repository) -> None:
    started = time.monotonic()
    with pytest.raises(SlotBusy) as refused:
        Slot.acquire(repository, "main")
    assert time.monotonic() - started < 5
    assert (refused.value.pid, refused.value.run_id) == (os.getpid(), "run-1")
    assert "run-1" in refused.value.message
    slot.release()
    Slot.acquire(repository, "main").release()


def test_a_killed_holder_frees_the_slot(repository: Repository) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from runtime.workspace import Slot; from runtime.repository import Repository\n"
        "slot = Slot.acquire(Repository.discover(Path(sys.argv[1])), 'k', run_id='r')\n"
        "print('held', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(repository.root)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(SlotBusy) as refused:
            Slot.acquire(repository, "k")
        assert refused.value.pid == holder.pid
        holder.kill()
    Slot.acquire(repository, "k").release()


@pytest.mark.slow
def test_a_process_killed_at_any_moment_of_a_goto_leaves_no_trace(tmp_path: Path) -> None:
    root = new_repository(tmp_path / "repo", {f"d{n % 7}/f{n}": f"{n}\n" * 50 for n in range(300)})
    write(root, {".gitignore": "*.log\n"} | {f"d{n % 7}/f{n}": f"changed {n}\n" * 50 for n in range(0, 300, 2)})
    shutil.rmtree(root / "d3")
    write(root, {"d3": "file\n"})
    commit(root)
    repository = Repository.discover(root)
    commits = [repository.resolve("HEAD~1"), repository.resolve("HEAD")]
    code = (
        "import sys; from pathlib import Path\n"
        "from runtime.workspace import Slot; from runtime.repository import Repository\n"
        "r = Repository.discover(Path(sys.argv[1])); s = Slot.acquire(r, 'k'); print('held', flush=True)\n"
        "while True:\n"
        "    for c in sys.argv[2:]: s.goto(r.tree_of(c), commit=c)\n"
    )
    for turn in range(20):
        command = [sys.executable, "-c", code, str(root), *commits]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as victim:
            assert victim.stdout is not None
            victim.stdout.readline()
            time.sleep(0.003 + turn * 0.011)
            victim.send_signal(signal.SIGKILL)
        with Slot.acquire(repository, "k") as slot:
            wanted = commits[turn % 2]
            slot.goto(repository.tree_of(wanted), commit=wanted)
            assert git(slot.path, "status", "--porcelain") == ""
            assert tree_of_slot(slot, tmp_path) == repository.tree_of(wanted)


def tree_of_slot(slot: Slot, tmp_path: Path) -> str:
    """What git makes of the slot's files without any stat cache."""
    index = tmp_path / "index"
    index.unlink(missing_ok=True)
    git_env = {**ENVIRONMENT, "GIT_INDEX_FILE": str(index)}
    subprocess.run(["git", "add", "-A"], cwd=slot.path, env=git_env, check=True)
    done = subprocess.run(["git", "write-tree"], cwd=slot.path, env=git_env, check=True, capture_output=True)
    return done.stdout.decode().strip()


@pytest.mark.parametrize("damage", [b"", b"garbage", b"DIRC\0\0\0\2\0\0\0\1" + b"\0" * 60])
def test_a_damaged_index_of_ours_only_costs_time(slot: Slot, root: Path, repository: Repository, damage: bytes) -> None:
    (index,) = (root / ".git/gumpc/slots").glob("main-*/index")
    index.write_bytes(damage)
    write(slot.path, {"README.md": "edited\n"})
    tree = slot.snapshot(base=repository.head().tree)
    assert [change.path for change in repository.changed(repository.head().tree, tree)] == ["README.md"]
    index.write_bytes(damage)
    go_home(slot, repository)
    assert fingerprint(slot.path) == fingerprint(root)


def test_a_slot_whose_folder_was_deleted_comes_back(slot: Slot, root: Path, repository: Repository) -> None:
    shutil.rmtree(root / ".gump/worktrees")
    git(root, "worktree", "prune", "--expire=now")
    with pytest.raises(GitError, match="gone"):
        slot.snapshot(base=repository.head().tree)
    go_home(slot, repository)
    assert fingerprint(slot.path) == fingerprint(root)
    assert git(slot.path, "status", "--porcelain") == ""


def test_it_works_from_a_linked_worktree_and_from_a_submodule(root: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    git(root, "worktree", "add", "-q", "-b", "side", str(linked))
    outer = new_repository(tmp_path / "outer")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(root), "sub")
    for place, common in ((linked, root / ".git"), (outer / "sub", outer / ".git/modules/sub")):
        repository = Repository.discover(place)
        assert (repository.root, repository.common_dir) == (place, common)
        with Slot.acquire(repository, "main") as slot:
            base = go_home(slot, repository)
            assert git(slot.path, "status", "--porcelain") == ""
            write(slot.path, {"new": "x\n"})
            assert slot.snapshot(base=base) != base
            assert fingerprint(slot.path) == {**fingerprint(place), "new": ("file", b"x\n")}


def test_an_empty_slot_is_empty_and_hides_the_users_repository(root: Path, repository: Repository) -> None:
    with EmptySlot.acquire(repository, "none") as slot:
        base = go_home(slot, repository)  # type: ignore[arg-type]
        slot.clear_out()
        write(slot.path, {"x/y": "scratch", ".gump/out/r.json": "{}"})
        assert slot.snapshot(base=base) == base
        git(slot.path, "commit", "-q", "-a", "-m", "by habit", check=False)
        assert git(root, "rev-list", "--count", "HEAD") == "2"
        go_home(slot, repository)  # type: ignore[arg-type]
        assert [entry.name for entry in slot.path.iterdir()] == [".git"]


@pytest.mark.parametrize("name", ["", "..", "a/b", "../x", "a b", "-x", "x.lock", ".hidden", "a\n"])
def test_a_slot_has_a_plain_name(repository: Repository, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        Slot.acquire(repository, name)


def test_the_ignore_file_is_never_overwritten(root: Path) -> None:
    hide_runtime_files(root)
    assert git(root, "status", "--porcelain", "--untracked-files=all") == ""
    write(root, {".gump/workflows/new.yaml": "x", ".gump/validators/v.md": "x", ".gump/runs/x": "x"})
    shown = git(root, "status", "--porcelain", "--untracked-files=all").splitlines()
    assert shown == ["?? .gump/validators/v.md", "?? .gump/workflows/new.yaml"]
    (root / ".gump/.gitignore").write_text("mine\n")
    hide_runtime_files(root)
    assert (root / ".gump/.gitignore").read_text() == "mine\n"


def test_the_working_tree_as_it_stands(root: Path, repository: Repository, tmp_path: Path) -> None:
    write(root, {"README.md": "staged\n", "new.txt": "new\n", "spec.md": "spec\n", "x.log": "ignored"})
    git(root, "add", "README.md", "spec.md")
    write(root, {"README.md": "edited\n", ".gump/workflows/w.yaml": "changed\n"})
    (root / "binary").unlink()
    before = (root / ".git/index").read_bytes()
    tree = working_tree(repository, ignoring=("spec.md",))
    assert (root / ".git/index").read_bytes() == before
    changed = [(change.status, change.path) for change in repository.changed(repository.head().tree, tree)]
    assert changed == [("M", "README.md"), ("D", "binary"), ("A", "new.txt")]
    assert repository.read(tree, "README.md") == b"edited\n"
    assert repository.read(tree, "spec.md") is None
    assert not list((root / ".git/gumpc/scratch").iterdir())


def test_files_that_a_sparse_checkout_leaves_out_are_no_deletions(root: Path, repository: Repository) -> None:
    hide_runtime_files(root)
    git(root, "sparse-checkout", "set", "--no-cone", "/README.md")
    assert not (root / "binary").exists()
    assert repository.uncommitted() == ()
    assert working_tree(repository) == repository.head().tree
    with Slot.acquire(repository, "main") as slot:
        base = go_home(slot, repository)
        assert (slot.path / "binary").exists()
        assert slot.snapshot(base=base) == base


NAMES = st.sampled_from(
    ["a", "b", "a/b", "a/b/c", "A", "x y", "é", "z.log", "new\nline", "-d", "b/z.log", ".gitignore", "*"]
)
CONTENTS = st.sampled_from([b"", b"1\n", b"2\n", b"one\r\n", b"\0\xff", b"*.log\n", b"x" * 70])
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), NAMES, CONTENTS),
        st.tuples(st.just("delete"), NAMES, st.just(b"")),
        st.tuples(st.just("link"), NAMES, st.just(b"")),
        st.tuples(st.just("mode"), NAMES, st.just(b"")),
    ),
    max_size=8,
)


def apply_edits(folder: Path, edits: list[tuple[str, str, bytes]]) -> None:
    for kind, name, content in edits:
        path = folder / name
        if kind in {"write", "link"}:
            for parent in reversed(Path(name).parents[:-1]):
                if (folder / parent).is_symlink() or (folder / parent).is_file():
                    (folder / parent).unlink()
                (folder / parent).mkdir(exist_ok=True)
        elif not os.path.lexists(path) or any((folder / parent).is_symlink() for parent in Path(name).parents[:-1]):
            continue
        if kind == "mode" and path.is_file() and not path.is_symlink():
            path.chmod(path.stat().st_mode ^ 0o111)
        elif kind != "mode":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        if kind == "write":
            path.write_bytes(content)
        if kind == "link":
            path.symlink_to("a")


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(first=EDITS, second=EDITS, third=EDITS)
def test_any_edits_give_the_tree_that_git_gives(
    tmp_path_factory: pytest.TempPathFactory,
    first: list[tuple[str, str, bytes]],
    second: list[tuple[str, str, bytes]],
    third: list[tuple[str, str, bytes]],
) -> None:
    root = tmp_path_factory.mktemp("random") / "repo"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    apply_edits(root, first)
    commit(root)
    hide_runtime_files(root)
    repository = Repository.discover(root)
    base = repository.head().tree
    with Slot.acquire(repository, "s") as slot:
        go_home(slot, repository)
        trees = []
        for edits in (second, third):
            apply_edits(slot.path, edits)
            apply_edits(root, edits)
            expected = tree_of_files(root, trees[-1] if trees else "HEAD")
            trees.append(slot.snapshot(base=base))
            assert trees[-1] == expected
        for tree in (base, trees[0], trees[1], base):
            slot.goto(tree, commit=repository.head().commit)
            assert slot.snapshot(base=base) == tree
    shutil.rmtree(root)
