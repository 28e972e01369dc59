"""Going to the tree that a snapshot has just given writes nothing anew, and still leaves exactly that tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.repository import Repository
from runtime.workspace import Slot
from tests.unit.git_cli import new_repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.discover(new_repository(tmp_path / "repo", {"a.txt": "one\n", "deep/b.txt": "two\n"}))


@pytest.fixture
def slot(repository: Repository) -> Iterator[Slot]:
    with Slot.acquire(repository, "main", run_id="run-1") as slot:
        head = repository.head()
        slot.goto(head.tree, commit=head.commit)
        yield slot


def goto(slot: Slot, repository: Repository, tree: str) -> None:
    slot.goto(tree, commit=repository.commit(tree, parents=(repository.head().commit,), message="step\n"))


def snapshot(slot: Slot, repository: Repository) -> str:
    return slot.snapshot(base=repository.head().tree)


def test_the_files_stay_as_the_snapshot_saw_them(slot: Slot, repository: Repository):
    (slot.path / "a.txt").write_text("changed\n")
    tree = snapshot(slot, repository)
    before = (slot.path / "a.txt").stat()
    goto(slot, repository, tree)
    assert (slot.path / "a.txt").stat() == before
    assert snapshot(slot, repository) == tree


def test_what_the_snapshot_left_out_goes_all_the_same(slot: Slot, repository: Repository):
    (slot.path / "a.txt").write_text("changed\n")
    (slot.path / "a.pyc").write_bytes(b"litter")
    tree = snapshot(slot, repository)
    goto(slot, repository, tree)
    assert not (slot.path / "a.pyc").exists()
    assert (slot.path / "a.txt").read_text() == "changed\n"


def test_what_is_written_after_the_first_return_is_gone_after_the_second(slot: Slot, repository: Repository):
    (slot.path / "a.txt").write_text("changed\n")
    tree = snapshot(slot, repository)
    goto(slot, repository, tree)
    (slot.path / "a.txt").write_text("by a gate\n")
    (slot.path / "new.txt").write_text("by a gate\n")
    goto(slot, repository, tree)
    assert ((slot.path / "a.txt").read_text(), (slot.path / "new.txt").exists()) == ("changed\n", False)


def test_another_tree_is_gone_to_in_full(slot: Slot, repository: Repository):
    (slot.path / "a.txt").write_text("changed\n")
    (slot.path / "new.txt").write_text("new\n")
    snapshot(slot, repository)
    goto(slot, repository, repository.head().tree)
    assert ((slot.path / "a.txt").read_text(), (slot.path / "new.txt").exists()) == ("one\n", False)
