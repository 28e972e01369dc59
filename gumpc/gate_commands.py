"""The command behind a `compile`, `test`, `lint`, `coverage` or `tests_found` gate, from config and marker files.

What the config says wins. Else the project's own marker files decide, asked in one fixed order: `go.mod`,
`Cargo.toml`, `package.json`, Python's (`pyproject.toml`, `setup.py`, `setup.cfg`), a Makefile. A marker that has no
such command (a `package.json` without a `lint` script) passes the question on to the next one.

`check` asks this about a repository and `run` about a tree, so it sees files through `read` alone. A command leaves as
little behind in the tree as its tool allows. Python ones run with `src` in front of the import path: the project may
be installed in editable mode from the user's own checkout, and without it the tests would silently judge that copy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

Read = Callable[[str], str | None]

KINDS = ("compile", "test", "lint", "coverage", "tests_found")
"""The gates whose command depends on the project."""
REQUIRED = ("compile", "test")
"""The gates that must have a command; the others are skipped without one, and say so."""
MARKERS = ("go.mod", "Cargo.toml", "package.json", "pyproject.toml", "Makefile")
"""The files that tell how a project is built, in the order in which they are asked."""


@dataclass(frozen=True, slots=True)
class GateCommand:
    """What a gate runs.

    `script` is for `sh -c`. `needs` are executables that must be on PATH, and `probe` is a command line that ends with
    0 where `tool` is installed: it is for what PATH can't tell, such as a module or a plugin. `marker` says why it is
    this command: the file, or the key of the config.
    """

    script: str
    needs: tuple[str, ...] = ()
    probe: tuple[str, ...] = ()
    tool: str = ""
    marker: str = ""


def resolve(kind: str, *, configured: Mapping[str, str], read: Read) -> GateCommand | None:
    """The command of a gate of `kind`, or None when neither the config nor a marker file gives one.

    `configured` holds the config's `compile_cmd`, `test_cmd`, `lint_cmd` and `coverage_cmd`, as far as they are set;
    `read` gives a file's text by its path from the root, or None. Files that can't be understood count as absent.
    """
    key = f"{kind}_cmd"
    script = configured.get(key, "")
    if script.strip():
        return GateCommand(script, needs=_first_word(script), marker=f"validation.{key}")
    if kind not in KINDS:
        return None
    for ask in (_go, _cargo, _node, _python, _make):
        command = ask(kind, read)
        if command is not None:
            return command
    return None


_WORD = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9_.+-]*)(?=\s|$)")
_SHELL_WORDS = re.compile(
    "alias|bg|break|case|cd|command|continue|do|done|echo|elif|else|esac|eval|exec|exit|export|false|fc|fg|fi|for|"
    "function|getopts|hash|if|in|jobs|kill|let|local|printf|pwd|read|readonly|return|select|set|shift|source|test|"
    "then|time|times|trap|true|type|ulimit|umask|unset|until|wait|while"
)


def _first_word(script: str) -> tuple[str, ...]:
    """The program that a configured command starts with, where that is plain to see."""
    found = _WORD.match(script)
    return () if found is None or _SHELL_WORDS.fullmatch(found[1]) else (found[1],)


_GO = {
    "compile": GateCommand("go build ./...", ("go",)),
    "test": GateCommand("go test ./...", ("go",)),
    "coverage": GateCommand(
        'profile=$(mktemp) && trap \'rm -f "$profile"\' EXIT && go test -coverprofile="$profile" ./... '
        '&& go tool cover -func="$profile"',
        ("go",),
    ),
    "tests_found": GateCommand("go test -list . ./...", ("go",)),
}
_GOLANGCI = (".golangci.yml", ".golangci.yaml", ".golangci.toml", ".golangci.json")


def _go(kind: str, read: Read) -> GateCommand | None:
    if read("go.mod") is None:
        return None
    if kind == "lint":
        configured = any(read(name) is not None for name in _GOLANGCI)
        command = GateCommand("golangci-lint run", ("golangci-lint",)) if configured else _GO_VET
    else:
        command = _GO[kind]
    return _because(command, "go.mod")


_GO_VET = GateCommand("go vet ./...", ("go",))
_CARGO = {
    "compile": GateCommand("cargo build", ("cargo",)),
    "test": GateCommand("cargo test", ("cargo",)),
    "lint": GateCommand("cargo clippy -- -D warnings", ("cargo",), ("cargo", "clippy", "--version"), "clippy"),
    "coverage": GateCommand(
        "cargo llvm-cov --summary-only", ("cargo",), ("cargo", "llvm-cov", "--version"), "cargo-llvm-cov"
    ),
    "tests_found": GateCommand("cargo test -- --list", ("cargo",)),
}


def _cargo(kind: str, read: Read) -> GateCommand | None:
    return None if read("Cargo.toml") is None else _because(_CARGO[kind], "Cargo.toml")


_SCRIPTS = {"compile": ("compile", "build"), "test": ("test",), "lint": ("lint",), "coverage": ("coverage",)}
_LOCKS = (("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"), ("bun.lock", "bun"))
_NO_TEST = "no test specified"
"""What `npm init` writes as the test script: not a test."""
_LISTS_TESTS = {"vitest": "npx --no-install vitest list", "jest": "npx --no-install jest --listTests"}


def _node(kind: str, read: Read) -> GateCommand | None:
    package = _package(read("package.json"))
    if kind == "tests_found":
        runner = next((r for r in _LISTS_TESTS if r in _dependencies(package)), None)
        return None if runner is None else GateCommand(_LISTS_TESTS[runner], ("npx",), marker="package.json")
    scripts = _texts(package.get("scripts"))
    name = next((n for n in _SCRIPTS[kind] if _NO_TEST not in scripts.get(n, _NO_TEST)), None)
    if name is None:
        return None
    client = next((client for lock, client in _LOCKS if read(lock) is not None), "npm")
    return GateCommand(f"{client} run {name}", (client,), marker="package.json")


def _package(text: str | None) -> dict[str, object]:
    """The manifest's top level; empty when it is missing or damaged, which the package client tells better."""
    if text is None:
        return {}
    import json  # here, so that `check` pays for it only in a repository of packages

    try:
        package = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return package if isinstance(package, dict) else {}


def _dependencies(package: dict[str, object]) -> set[str]:
    return {name for key in ("dependencies", "devDependencies") for name in _texts(package.get(key))}


def _texts(value: object) -> dict[str, str]:
    entries = value.items() if isinstance(value, dict) else ()
    return {name: text for name, text in entries if isinstance(text, str)}


_IMPORTS = 'export PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}"; '
_PYTEST = f"{_IMPORTS}python3 -m pytest -q -p no:cacheprovider"
_HAS_PYTEST = ("python3", "-c", "import pytest")
_COMPILE_ALL = """python3 -I -W ignore -c '
import os, sys
failed = False
for folder, folders, files in os.walk("."):
    folders[:] = sorted(
        name for name in folders
        if not name.startswith(".")
        and name not in ("__pycache__", "node_modules", "site-packages")
        and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
    )
    for name in sorted(files):
        path = os.path.relpath(os.path.join(folder, name))
        if not name.endswith(".py") or not os.path.isfile(path):
            continue
        try:
            with open(path, "rb") as source:
                compile(source.read(), path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as fault:
            failed = True
            line = getattr(fault, "lineno", None) or 1
            reason = getattr(fault, "msg", None) or str(fault)
            print(f"{path}:{line}: {type(fault).__name__}: {reason}", file=sys.stderr)
sys.exit(failed)
'"""
_PYTHON = {
    "compile": GateCommand(_COMPILE_ALL, ("python3",)),
    "test": GateCommand(_PYTEST, ("python3",), _HAS_PYTEST, "pytest"),
    "coverage": GateCommand(
        f'{_IMPORTS}folder=$(mktemp -d) && trap \'rm -rf "$folder"\' EXIT && COVERAGE_FILE="$folder/coverage" '
        "python3 -m pytest -q -p no:cacheprovider --cov --cov-report=term",
        ("python3",),
        ("python3", "-c", "import pytest_cov"),
        "pytest-cov",
    ),
    "tests_found": GateCommand(f"{_PYTEST} --collect-only", ("python3",), _HAS_PYTEST, "pytest"),
}
_RUFF = GateCommand("ruff check --no-cache .", ("ruff",))
_FLAKE8 = GateCommand("python3 -m flake8 .", ("python3",), ("python3", "-c", "import flake8"), "flake8")
_PYTHON_MARKERS = ("pyproject.toml", "setup.py", "setup.cfg")


def _python(kind: str, read: Read) -> GateCommand | None:
    marker = next((name for name in _PYTHON_MARKERS if read(name) is not None), None)
    if marker is None:
        return None
    return _python_lint(read) if kind == "lint" else _because(_PYTHON[kind], marker)


_LINT_SECTIONS = (
    ("pyproject.toml", re.compile(r"(?m)^\s*\[tool\.ruff[.\]]"), _RUFF),
    ("ruff.toml", None, _RUFF),
    (".ruff.toml", None, _RUFF),
    (".flake8", None, _FLAKE8),
    ("setup.cfg", re.compile(r"(?m)^\[flake8\]"), _FLAKE8),
    ("tox.ini", re.compile(r"(?m)^\[flake8\]"), _FLAKE8),
)


def _python_lint(read: Read) -> GateCommand | None:
    """The linter that the project has configured: running another one would judge by rules that nobody chose."""
    for name, section, command in _LINT_SECTIONS:
        text = read(name)
        if text is not None and (section is None or section.search(text)):
            return _because(command, name)
    return None


_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_TARGETS = {"compile": ("compile", "build"), "test": ("test",), "lint": ("lint",), "coverage": ("coverage",)}
_RULE = re.compile(r"^([^\s#:=][^#:=]*):(?![:=]*=)")


def _make(kind: str, read: Read) -> GateCommand | None:
    for name in _MAKEFILES:
        text = read(name)
        if text is not None:
            return _make_target(name, set(_targets(text)), _TARGETS.get(kind, ()))
    return None


def _make_target(makefile: str, targets: set[str], wanted: tuple[str, ...]) -> GateCommand | None:
    target = next((t for t in wanted if t in targets), None)
    return None if target is None else GateCommand(f"make {target}", ("make",), marker=makefile)


def _targets(makefile: str) -> Iterator[str]:
    for line in makefile.splitlines():
        rule = _RULE.match(line)
        if rule is not None:
            yield from rule[1].split()


def _because(command: GateCommand, marker: str) -> GateCommand:
    return GateCommand(command.script, command.needs, command.probe, command.tool, marker)
