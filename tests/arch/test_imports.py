"""The import table: who may import whom. A failure here is a question about the design, not about style."""

from __future__ import annotations

from graphlib import TopologicalSorter

import pytest

from tests.arch import picture
from tests.arch.imports import cycles, files, imports, loaded_by, own_imports

SEEN_BY_RUNTIME = (
    "gumpc",
    "gumpc.agent_config",
    "gumpc.agent_names",
    "gumpc.config",
    "gumpc.config_types",
    "gumpc.diagnostics",
    "gumpc.digest",
    "gumpc.fields",
    "gumpc.gate_commands",
    "gumpc.globs",
    "gumpc.ir",
    "gumpc.plan",
    "gumpc.shell",
    "gumpc.source",
    "gumpc.substitute",
    "gumpc.tasks",
    "gumpc.template",
    "gumpc.values",
    "gumpc.walk",
)
"""All that the executor knows of the compiler."""

IMPURE = ("asyncio", "pygit2", "socket", "ssl", "subprocess", "time", "urllib", "http", "random", "secrets")
"""What a compiler has no use for: processes, clocks, networks, repositories, chance."""

HEAVY = ("asyncio", "diskcache", "networkx", "pydantic", "pygit2", "rich")
"""What `gumpc check` must not wait for."""


def in_package(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


LIGHT = (
    "gumpc.cli",
    "gumpc.cli.main",
    "gumpc.cli.check",
    "gumpc.cli.checking",
    "gumpc.cli.console",
    "gumpc.cli.project",
)
"""What every command loads; each other module of the command line is loaded by the commands that need it."""


def is_command(module: str) -> bool:
    return in_package(module, "gumpc.cli")


def test_the_compiler_imports_the_runtime_in_the_commands_that_need_it_only():
    wrong = [
        str(i)
        for i in own_imports()
        if in_package(i.importer, "gumpc")
        and in_package(i.imported, "runtime")
        and not (is_command(i.importer) and (i.in_function or i.importer not in LIGHT))
    ]
    assert wrong == []


def test_the_runtime_knows_only_these_modules_of_the_compiler():
    wrong = [
        str(i)
        for i in imports()
        if in_package(i.importer, "runtime") and in_package(i.imported, "gumpc") and i.imported not in SEEN_BY_RUNTIME
    ]
    assert wrong == []


def test_the_compiler_has_no_effects():
    wrong = [
        str(i)
        for i in imports()
        if in_package(i.importer, "gumpc") and not is_command(i.importer) and i.imported in IMPURE
    ]
    assert wrong == []


def test_the_grammar_depends_on_nothing():
    assert [str(i) for i in own_imports() if in_package(i.importer, "grammar")] == []


def test_no_modules_import_each_other():
    assert cycles() == []


def test_what_check_imports_is_light():
    entries = ("gumpc.__main__", "gumpc.cli.check")
    assert [entry for entry in entries if entry not in files()] == [], "the command line is not there"
    called = {i.imported for i in own_imports() if i.importer == "gumpc.cli.check" and i.in_function}
    loaded = loaded_by(*entries, *called)
    heavy = [str(i) for i in imports() if i.importer in loaded and i.eager and i.imported in HEAVY]
    foreign = sorted(module for module in loaded if in_package(module, "runtime"))
    assert (heavy, foreign) == ([], [])


def test_every_module_has_one_place_in_the_architecture():
    homes = {module: picture.homes(module) for module in files() if module != "grammar"}
    assert {module: found for module, found in homes.items() if len(found) != 1} == {}


def test_the_architecture_lists_no_module_that_is_gone():
    listed = [entry for group in picture.groups().values() for entry in group]
    assert [entry for entry in listed if not any(picture.covers(entry, module) for module in files())] == []


@pytest.mark.parametrize("side", ["missing", "wrong"])
def test_the_picture_shows_the_imports_that_there_are(side: str):
    drawn, real = picture.drawn(), picture.real()
    found = real - drawn if side == "missing" else drawn - real
    assert sorted(found) == [], "`make update-golden` redraws docs/architecture.md; look at the new arrows"


def test_the_groups_stand_in_layers():
    above: dict[str, set[str]] = {}
    for edge in picture.real():
        above.setdefault(edge.source, set()).add(edge.target)
    TopologicalSorter(above).prepare()
