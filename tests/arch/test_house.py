"""The rules of the house that a machine can hold, over every file under version control.

The words that no file may hold are put together here from their parts, so that this file passes its own test.
"""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.arch.imports import ROOT, files

REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("npmjs", "com"),
        ("registry", "yarnpkg", "com"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
    )
)
MACHINE_PATHS = tuple(f"/{name}/" for name in ("work", "root")) + tuple("/tmp/" + n for n in ("brief", "bash_jobs"))
SCAFFOLD = ("shared/" + "language.md", "shared/" + "design.md", "/.li" + "brary", "/.mir" + "ror", "brief" + ".md")

VAGUE = {"data", "handler", "handlers", "helper", "helpers", "info", "manager", "misc", "util", "utils"}
LONGEST = 400
LONG_FOR_A_REASON = {"runtime.shim": "is started by its path, so it is one file that imports nothing of ours"}


@cache
def tracked() -> tuple[Path, ...]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return tuple(path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file())


def lines_with(words: tuple[str, ...]) -> list[str]:
    """Every `file:line` that holds one of `words`; bytes that are no text are looked at too."""
    wanted = re.compile("|".join(re.escape(word) for word in words))
    return [
        f"{path.relative_to(ROOT)}:{number}: {found[0]}"
        for path in tracked()
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1)
        if (found := wanted.search(line))
    ]


@pytest.mark.parametrize("words", [REGISTRIES, MACHINE_PATHS, SCAFFOLD], ids=["registries", "paths", "scaffold"])
def test_no_file_names(words: tuple[str, ...]):
    assert lines_with(words) == []


def test_every_module_opens_with_a_docstring():
    others = [path for path in tracked() if path.suffix == ".py" and path.stat().st_size]
    sources = [*files().values(), *(path for path in others if not path.name.startswith("test_"))]
    bare = {path for path in sources if not ast.get_docstring(ast.parse(path.read_text("utf-8")))}
    assert sorted(str(path.relative_to(ROOT)) for path in bare) == []


def test_no_module_has_a_vague_name():
    assert [module for module in files() if module.rpartition(".")[2] in VAGUE] == []


def test_no_module_is_long():
    lengths = {module: len(path.read_text("utf-8").splitlines()) for module, path in files().items()}
    assert {module: n for module, n in lengths.items() if n > LONGEST and module not in LONG_FOR_A_REASON} == {}
    assert set(LONG_FOR_A_REASON) <= set(lengths)


def test_links_between_pages_lead_somewhere():
    link = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in tracked()
        if page.suffix == ".md"
        for target in link.findall(page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []
