"""The imports between the project's modules, read from their syntax trees, so that no module has to run.

Every import counts, wherever it stands; each says whether importing the module performs it (`eager`) or whether it
waits in a function or stands under `if TYPE_CHECKING`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("gumpc", "runtime", "grammar")


@dataclass(frozen=True, slots=True)
class Import:
    """`importer` imports `imported`, a module of ours by its full name or a library by its top name."""

    importer: str
    imported: str
    line: int
    eager: bool
    in_function: bool

    def __str__(self) -> str:
        return f"{files()[self.importer].relative_to(ROOT)}:{self.line} imports {self.imported}"


@cache
def files() -> dict[str, Path]:
    """Every module of the project, by name."""
    found = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return {_name(path): path for path in found}


@cache
def imports() -> tuple[Import, ...]:
    """Every import of every module, in order."""
    return tuple(item for module in files() for item in _imports_of(module))


@cache
def own_imports() -> tuple[Import, ...]:
    """The imports of one module of ours by another."""
    return tuple(i for i in imports() if i.imported in files() and i.imported != i.importer)


def loaded_by(*modules: str) -> frozenset[str]:
    """The modules of ours that importing `modules` performs, with the packages they stand in."""
    loaded: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in loaded or module not in files():
            continue
        loaded.add(module)
        waiting.append(module.rpartition(".")[0])
        waiting.extend(i.imported for i in own_imports() if i.importer == module and i.eager)
    return frozenset(loaded)


def cycles() -> list[list[str]]:
    """Every group of modules that import each other, directly or through others, eagerly or not."""
    reached = {module: _reached(module) for module in files()}
    groups = {tuple(sorted({m} | {o for o in reached[m] if m in reached[o]})) for m in files() if m in reached[m]}
    return sorted(list(group) for group in groups)


def _reached(module: str) -> frozenset[str]:
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        here = waiting.pop()
        new = {i.imported for i in own_imports() if i.importer == here} - seen
        seen |= new
        waiting.extend(new)
    return frozenset(seen)


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports_of(module: str) -> Iterator[Import]:
    tree = ast.parse(files()[module].read_text("utf-8"))
    lazy, in_function = _lazy_nodes(tree)
    for node in ast.walk(tree):
        for name in _named(node, module):
            yield Import(module, name, node.lineno, node not in lazy, node in in_function)  # type: ignore[attr-defined]


def _lazy_nodes(tree: ast.Module) -> tuple[set[ast.AST], set[ast.AST]]:
    """The nodes that importing the module does not run, and those of them that stand in a function."""
    functions = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    return functions | typing_only, functions


def _named(node: ast.AST, module: str) -> Iterator[str]:
    """What an import statement imports, each module once."""
    if isinstance(node, ast.Import):
        yield from dict.fromkeys(_known(alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        source = _absolute(node, module)
        inner = {alias.name: f"{source}.{alias.name}" for alias in node.names}
        yield from dict.fromkeys(name if name in files() else _known(source) for name in inner.values())


def _absolute(node: ast.ImportFrom, module: str) -> str:
    if not node.level:
        return node.module or ""
    is_package = files()[module].name == "__init__.py"
    parts = module.split(".")
    base = parts[: len(parts) - node.level + is_package]
    return ".".join([*base, node.module] if node.module else base)


def _known(name: str) -> str:
    return name if name.partition(".")[0] in PACKAGES else name.partition(".")[0]
