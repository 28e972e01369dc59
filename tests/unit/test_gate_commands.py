from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from gumpc.gate_commands import KINDS, MARKERS, GateCommand, resolve


def command(kind: str, files: Mapping[str, str], **configured: str) -> GateCommand | None:
    return resolve(kind, configured=configured, read=files.get)


def script(kind: str, files: Mapping[str, str], **configured: str) -> str:
    found = command(kind, files, **configured)
    return "" if found is None else found.script


def package(**scripts: str) -> str:
    return json.dumps({"scripts": scripts})


def test_config_wins_over_markers_and_says_so() -> None:
    found = command("test", {"go.mod": ""}, test_cmd="tox -q")
    assert found == GateCommand("tox -q", ("tox",), marker="validation.test_cmd")


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("golangci-lint run", ("golangci-lint",)),
        ("cd app && npm test", ()),
        ("./scripts/lint", ()),
        ("CI=1 npm test", ()),
        ("! grep -r TODO src", ()),
        ("ruff", ("ruff",)),
        ("ruff; true", ()),
    ],
)
def test_config_commands_need_the_program_they_start_with(text: str, needs: tuple[str, ...]) -> None:
    found = command("lint", {}, lint_cmd=text)
    assert found is not None
    assert found.needs == needs


def test_blank_config_command_counts_as_unset() -> None:
    assert command("lint", {}, lint_cmd="  ") is None


@pytest.mark.parametrize(
    ("kind", "files", "expected"),
    [
        ("compile", {"go.mod": ""}, "go build ./..."),
        ("test", {"go.mod": ""}, "go test ./..."),
        ("lint", {"go.mod": ""}, "go vet ./..."),
        ("lint", {"go.mod": "", ".golangci.yml": ""}, "golangci-lint run"),
        ("tests_found", {"go.mod": ""}, "go test -list . ./..."),
        ("compile", {"Cargo.toml": ""}, "cargo build"),
        ("test", {"Cargo.toml": ""}, "cargo test"),
        ("lint", {"Cargo.toml": ""}, "cargo clippy -- -D warnings"),
        ("compile", {"package.json": package(build="tsc")}, "npm run build"),
        ("compile", {"package.json": package(build="x", compile="tsc")}, "npm run compile"),
        ("test", {"package.json": package(test="jest")}, "npm run test"),
        ("test", {"package.json": package(test="jest"), "pnpm-lock.yaml": ""}, "pnpm run test"),
        ("test", {"package.json": package(test="jest"), "yarn.lock": ""}, "yarn run test"),
        ("lint", {"package.json": package(lint="eslint .")}, "npm run lint"),
        ("lint", {"pyproject.toml": "[tool.ruff.lint]\nselect = []"}, "ruff check --no-cache ."),
        ("lint", {"setup.py": "", "ruff.toml": ""}, "ruff check --no-cache ."),
        ("lint", {"pyproject.toml": "", ".flake8": ""}, "python3 -m flake8 ."),
        ("lint", {"setup.cfg": "[metadata]\n[flake8]\n"}, "python3 -m flake8 ."),
        ("lint", {"pyproject.toml": "", "setup.cfg": "# [flake8]"}, ""),
        ("lint", {"pyproject.toml": "# [tool.ruff]"}, ""),
        ("test", {"Makefile": "test: build\n\tpytest\n"}, "make test"),
        ("compile", {"Makefile": "all build: x.c\n"}, "make build"),
        ("lint", {"makefile": "lint::\n\ttrue\n"}, "make lint"),
        ("test", {"Makefile": "test := 1\ntest ::= 2\n# test:\n\ttest: x\n.PHONY: test\n"}, ""),
        ("tests_found", {"Makefile": "tests_found:\n"}, ""),
        ("test", {}, ""),
        ("bash", {"go.mod": ""}, ""),
    ],
)
def test_command_by_marker(kind: str, files: Mapping[str, str], expected: str) -> None:
    assert script(kind, files) == expected


def test_markers_are_asked_in_order_and_pass_on_what_they_lack() -> None:
    files = {"go.mod": "", "Cargo.toml": "", "package.json": package(test="jest"), "pyproject.toml": "", "Makefile": ""}
    seen = []
    for marker in MARKERS[:4]:
        found = command("test", files)
        assert found is not None
        seen.append(found.marker)
        del files[marker]
    assert tuple(seen) == MARKERS[:4]
    # A package.json without the script leaves the gate to the next marker.
    found = command("lint", {"package.json": package(test="jest"), "Makefile": "lint:\n"})
    assert found is not None
    assert found.marker == "Makefile"


@pytest.mark.parametrize(
    "text", ["", "not json", "[]", '{"scripts": []}', '{"scripts": {"test": 3}}', "[" * 100_000, '{"scripts":' * 5000]
)
def test_damaged_package_json_has_no_scripts(text: str) -> None:
    assert all(command(kind, {"package.json": text}) is None for kind in KINDS)


def test_npm_placeholder_is_no_test() -> None:
    text = package(test='echo "Error: no test specified" && exit 1')
    assert command("test", {"package.json": text}) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("marker", ["go.mod", "Cargo.toml", "pyproject.toml"])
def test_scripts_are_valid_shell(kind: str, marker: str) -> None:
    text = script(kind, {marker: "[tool.ruff]"})
    assert text
    assert subprocess.run(["/bin/sh", "-n", "-c", text], check=False).returncode == 0


def compile_in(folder: Path) -> subprocess.CompletedProcess[str]:
    text = script("compile", {"pyproject.toml": ""})
    return subprocess.run(["/bin/sh", "-c", text], cwd=folder, capture_output=True, text=True, check=False)


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(text)


def test_python_compile_names_each_broken_file_and_leaves_nothing(tmp_path: Path) -> None:
    write(tmp_path, good="x = 1\n", pkg__bad="def f(:\n", pkg__nul="x = '\0'\n", pkg__sub__deep="(" * 5000)
    ended = compile_in(tmp_path)
    assert ended.returncode == 1
    assert [line.split(":")[0] for line in ended.stderr.splitlines()] == ["pkg/bad.py", "pkg/nul.py", "pkg/sub/deep.py"]
    assert not list(tmp_path.rglob("__pycache__"))


def test_python_compile_passes_over_virtual_environments_and_own_modules(tmp_path: Path) -> None:
    # `os.py` at the root must not be imported instead of the standard one.
    write(tmp_path, os="raise SystemExit(9)\n", env__lib__bad="def f(:\n", node_modules__bad="def f(:\n")
    (tmp_path / "env" / "pyvenv.cfg").touch()
    (tmp_path / "dangling.py").symlink_to("nowhere.py")
    ended = compile_in(tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
