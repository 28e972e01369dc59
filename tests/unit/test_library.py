"""Where workflows are found, and what is never read."""

from __future__ import annotations

from pathlib import Path

import pytest

from gumpc.library import Library, OutsideRepository


@pytest.fixture
def library(tmp_path: Path) -> Library:
    root, home = tmp_path / "repo", tmp_path / "home"
    files = {
        root / ".gump/workflows/tdd.yaml": "project",
        root / ".gump/validators/mine.yml": "mine",
        root / "flows/local.yaml": "from the root",
        root / "flows/deep/local.yaml": "beside the caller",
        root / "flows/prompt.md": "prompt",
        home / ".gump/workflows/tdd.yaml": "user",
        home / ".gump/workflows/own.yaml": "user",
        tmp_path / "secret.yaml": "secret",
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (root / "loop.yaml").symlink_to(root / "loop.yaml")
    return Library(root, home, root)


def text(library: Library, name: str, caller: Path | None = None) -> str:
    found = library.find(name, caller=caller)
    return found.raw.decode() if found else ""


def test_the_project_comes_before_the_user_and_both_before_the_built_ins(library: Library) -> None:
    assert text(library, "tdd") == "project"
    assert text(library, "own") == "user"
    assert "name: bugfix" in text(library, "bugfix")
    assert "name: tdd" in text(library, "builtin:tdd")
    assert text(library, "validators/mine") == "mine"
    assert text(library, "mine") == ""


def test_a_path_is_looked_for_beside_its_caller_and_then_from_the_root(library: Library) -> None:
    assert library.root is not None
    caller = library.root / "flows/deep/caller.yaml"
    assert text(library, "local.yaml", caller) == "beside the caller"
    assert text(library, "flows/local.yaml", caller) == "from the root"
    assert text(library, "../local.yaml", caller) == "from the root"


@pytest.mark.parametrize("name", ["../../secret.yaml", "../../../etc/passwd.yaml", "/etc/passwd.yaml", "../link.yaml"])
def test_nothing_outside_the_repository_is_read(library: Library, name: str) -> None:
    assert library.root is not None
    with pytest.raises(OutsideRepository):
        library.find(name, caller=library.root / "flows/caller.yaml")
    with pytest.raises(OutsideRepository):
        library.text_file(name, caller=library.root / "flows/caller.yaml")


@pytest.mark.parametrize("name", ["a\0.yaml", "x" * 300 + ".yaml", "loop.yaml", "flows.yaml/x.yaml", "flows"])
def test_a_name_that_is_no_file_finds_nothing(library: Library, name: str) -> None:
    assert library.root is not None
    assert library.find(name, caller=library.root / "caller.yaml") is None
    assert library.text_file(name, caller=library.root / "caller.yaml") is None


def test_names_with_their_sources(library: Library) -> None:
    names = dict(library.names())
    assert (names["tdd"], names["own"], names["bugfix"]) == ("project", "user", "built-in")
    assert dict(library.names("validators")) == {"mine": "project", "arch-review": "built-in"}
