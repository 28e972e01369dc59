"""Gates on real folders, with real shells and a real pytest."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from runtime import process
from runtime.errors import RunError
from runtime.gates.changes import blast_radius
from runtime.gates.check import Bench, Check, GateStopped, Run, Subject
from runtime.gates.judge import judge
from runtime.gates.verdict import Verdict

PYPROJECT = '[project]\nname = "m"\n'
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def run(command: process.Command, stop: Callable[[], bool]) -> process.Exit:
    return process.run(command, stop=stop, grace=0.2)


class Tree:
    """A small project in a folder, and gates on it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "tree"
        self.artifacts = root / "artifacts"
        self.root.mkdir()
        self.artifacts.mkdir()

    def write(self, **files: str) -> None:
        for name, text in files.items():
            path = self.root / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def read(self, path: str) -> str | None:
        file = self.root / path
        return file.read_text() if file.is_file() else None

    def files(self) -> set[str]:
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()}

    def judge(
        self,
        check: Check,
        *,
        changed: tuple[str, ...] = (),
        step_type: str = "code",
        output: str = "",
        configured: Mapping[str, str] | None = None,
        timeout: float = 60.0,
        path: str = PATH,
        run: Run = run,
        environment: Mapping[str, str] | None = None,
    ) -> Verdict:
        bench = Bench(
            directory=lambda: self.root,
            environment={"PATH": path, "HOME": str(self.root.parent), **(environment or {})},
            artifacts=self.artifacts,
            run=run,
            configured=configured or {},
            timeout=timeout,
        )
        return judge(check, Subject(step_type, changed, self.read, output), bench=bench)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.fixture
def python(tree: Tree) -> Tree:
    (tree.root / "pyproject.toml").write_text(PYPROJECT)
    return tree


def bash(script: str, **values: str) -> Check:
    return Check("bash", "smoke", script=script, values=values)


class TestBash:
    def test_passes_on_exit_0_and_keeps_its_output(self, tree: Tree) -> None:
        verdict = tree.judge(bash("echo out; echo err >&2"))
        assert verdict.passed
        assert verdict.command == "echo out; echo err >&2"
        assert (tree.artifacts / "1-smoke.stdout").read_text() == "out\n"
        assert (tree.artifacts / "1-smoke.stderr").read_text() == "err\n"
        assert (tree.artifacts / "1-smoke.exit").is_file()

    def test_runs_in_the_tree_under_bash(self, tree: Tree) -> None:
        assert tree.judge(bash(f"[[ $PWD == {tree.root} && $CI == 1 ]]")).passed
        assert tree.judge(bash("[[ $CI == mine ]]"), environment={"CI": "mine"}).passed

    @pytest.mark.parametrize(
        ("script", "error"),
        [
            ("echo why >&2; exit 3", "why"),
            ("echo why; exit 3", "why"),
            ("echo out; echo err >&2; exit 1", "err\nout"),
            ("exit 3", "ended with exit code 3, and printed nothing"),
            ("kill -SEGV $$", "ended by signal 11"),
            ("echo last words; kill -KILL $$", "ended by signal 9\nlast words"),
        ],
    )
    def test_the_error_is_never_empty(self, tree: Tree, script: str, error: str) -> None:
        verdict = tree.judge(bash(script))
        assert not verdict.passed
        assert verdict.error == error

    def test_the_error_names_files_as_the_tree_does(self, tree: Tree) -> None:
        assert tree.judge(bash('echo "$PWD/src/a.py:3: bad"; exit 1')).error == "src/a.py:3: bad"

    def test_long_output_keeps_both_ends_within_the_limit(self, tree: Tree) -> None:
        verdict = tree.judge(bash("seq 1 1000000; exit 1"))
        assert len(verdict.error) <= 2_000
        assert verdict.error.endswith("\n1000000")
        assert "lines cut" in verdict.error

    def test_values_of_references_are_never_code(self, tree: Tree) -> None:
        hostile = "$(touch pwned) `touch pwned`; touch pwned\n'\""
        verdict = tree.judge(bash('printf %s "${GUMPC_1}" >&2; exit 1', GUMPC_1=hostile))
        assert verdict.error == hostile
        assert tree.files() == set()

    def test_a_value_that_the_system_refuses_is_a_named_failure(self, tree: Tree) -> None:
        assert "200,008 bytes" in tree.judge(bash("true", GUMPC_1="x" * 200_000)).error
        assert "NUL" in tree.judge(bash("true", GUMPC_1="a\0b")).error
        assert tree.judge(bash('[ "${#GUMPC_1}" = 131063 ]', GUMPC_1="x" * 131_063)).passed

    def test_a_hang_ends_at_the_limit_with_what_was_printed(self, tree: Tree) -> None:
        verdict = tree.judge(bash("echo waiting; sleep 60"), timeout=0.5)
        assert not verdict.passed
        assert verdict.error == "no result within 0.5s\nwaiting"

    def test_a_stopped_run_gives_no_verdict(self, tree: Tree) -> None:
        with pytest.raises(GateStopped):
            tree.judge(bash("sleep 60"), run=lambda command, _: run(command, lambda: True))

    def test_names_are_safe_in_file_names(self, tree: Tree) -> None:
        tree.judge(Check("bash", "../a b", script="true", number=2))
        assert (tree.artifacts / "2-.._a_b.exit").is_file()


class TestCommands:
    def test_config_command_runs_under_sh(self, tree: Tree) -> None:
        verdict = tree.judge(Check("test", "test"), configured={"test_cmd": "echo nope; exit 1"})
        assert (verdict.passed, verdict.error) == (False, "nope")

    def test_compile_and_test_without_a_command_are_no_attempt(self, tree: Tree) -> None:
        for kind in ("compile", "test"):
            with pytest.raises(RunError, match="no command") as raised:
                tree.judge(Check(kind, kind))
            assert f"{kind}_cmd" in raised.value.help

    def test_the_others_without_a_command_are_skipped_and_say_so(self, tree: Tree) -> None:
        for kind in ("lint", "coverage", "tests_found"):
            verdict = tree.judge(Check(kind, kind, threshold=80))
            assert verdict.passed
            assert verdict.skipped

    def test_a_linter_that_is_not_installed_skips(self, tree: Tree) -> None:
        verdict = tree.judge(Check("lint", "lint"), configured={"lint_cmd": "no-such-linter --all"})
        assert (verdict.passed, verdict.skipped) == (True, "no-such-linter is not installed")

    def test_a_test_tool_that_is_not_installed_is_no_attempt(self, tree: Tree) -> None:
        (tree.root / "go.mod").write_text("module m\n")
        with pytest.raises(RunError, match=r"needs go, which is not installed \(go.mod asks for it\)"):
            tree.judge(Check("test", "test"), path="/nonexistent")

    def test_pytest_missing_from_the_interpreter_is_no_attempt(self, python: Tree, tmp_path: Path) -> None:
        bare = tmp_path / "bin"
        bare.mkdir()
        # Without site-packages the interpreter has no pytest, whatever this machine has.
        (bare / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
        (bare / "python3").chmod(0o755)
        with pytest.raises(RunError, match="needs pytest, which is not installed"):
            python.judge(Check("test", "test"), path=f"{bare}:/usr/bin:/bin")
        verdict = python.judge(Check("coverage", "coverage", threshold=80), path=f"{bare}:/usr/bin:/bin")
        assert verdict.skipped == "pytest-cov is not installed"

    def test_a_planted_module_cannot_make_a_tool_look_absent(self, python: Tree) -> None:
        python.write(pytest_cov="raise ImportError('gone')", test_a="def test_a(): pass\n")
        verdict = python.judge(Check("coverage", "coverage", threshold=80))
        assert not verdict.skipped
        assert not verdict.passed


@pytest.mark.slow
class TestPytest:
    def test_compile_fails_on_a_syntax_error(self, python: Tree) -> None:
        python.write(src__m="def f(:\n")
        verdict = python.judge(Check("compile", "compile"))
        assert verdict.error.startswith("src/m.py:1: SyntaxError")
        assert "\n" not in verdict.command
        python.write(src__m="def f(): ...\n")
        assert python.judge(Check("compile", "compile")).passed
        assert python.files() == {"pyproject.toml", "src/m.py"}

    def test_failures_begin_with_a_summary(self, python: Tree) -> None:
        python.write(tests__test_auth="def test_a(): assert 1 == 2\ndef test_b(): assert 0\ndef test_c(): pass\n")
        verdict = python.judge(Check("test", "test"))
        assert not verdict.passed
        assert verdict.error.splitlines()[0] == "2 failed in tests/test_auth.py"
        assert "assert 1 == 2" in verdict.error
        assert python.files() == {"pyproject.toml", "tests/test_auth.py"}

    def test_the_tree_is_tested_and_not_what_is_installed(self, python: Tree, tmp_path: Path) -> None:
        elsewhere = tmp_path / "checkout"
        elsewhere.mkdir()
        (elsewhere / "m.py").write_text("VALUE = 'old'\n")
        python.write(src__m="VALUE = 'new'\n", tests__test_m="import m\ndef test_m(): assert m.VALUE == 'new'\n")
        assert python.judge(Check("test", "test"), environment={"PYTHONPATH": str(elsewhere)}).passed

    def test_coverage_is_compared_with_the_threshold(self, python: Tree) -> None:
        python.write(
            src__m="def f(x):\n    if x:\n        return 1\n    return 2\n",
            tests__test_m="import m\ndef test_m(): assert m.f(1) == 1\n",
        )
        verdict = python.judge(Check("coverage", "coverage", threshold=90))
        assert verdict.error == "coverage is 83%, and must be at least 90%"
        verdict = python.judge(Check("coverage", "coverage", threshold=80))
        assert (verdict.passed, verdict.comments) == (True, "coverage is 83%")
        assert python.files() == {"pyproject.toml", "src/m.py", "tests/test_m.py"}

    def test_coverage_of_failing_tests_fails(self, python: Tree) -> None:
        python.write(test_m="def test_m(): assert 0\n")
        verdict = python.judge(Check("coverage", "coverage", threshold=0))
        assert verdict.error.startswith("1 failed in test_m.py\n")

    def test_a_coverage_command_without_a_figure_fails(self, tree: Tree) -> None:
        verdict = tree.judge(Check("coverage", "coverage", threshold=1), configured={"coverage_cmd": "true"})
        assert "no total percentage" in verdict.error


@pytest.mark.slow
class TestTestsFound:
    CHECK = Check("tests_found", "tests_found")

    def test_a_collected_test_is_found_whatever_its_result(self, python: Tree) -> None:
        python.write(test_m="def test_m(): assert 0\n")
        assert python.judge(self.CHECK).passed

    def test_no_test_at_all_fails(self, python: Tree) -> None:
        python.write(test_m="x = 1\n")
        verdict = python.judge(self.CHECK)
        assert (verdict.passed, verdict.error) == (False, "pytest collects no test")

    def test_a_test_of_code_that_does_not_exist_yet_is_found_and_said(self, python: Tree) -> None:
        python.write(tests__test_m="from m import add\n\ndef test_add(): assert add(1, 1) == 2\n")
        verdict = python.judge(self.CHECK)
        assert verdict.passed
        assert "the code that they test is not yet: ModuleNotFoundError: No module named 'm'" in verdict.comments

    def test_a_name_that_does_not_exist_yet_is_the_same(self, python: Tree) -> None:
        python.write(m="", test_m="from m import add\n\ndef test_add(): assert add(1, 1) == 2\n")
        assert "cannot import name 'add'" in python.judge(self.CHECK).comments

    def test_a_conftest_may_import_what_does_not_exist_yet(self, python: Tree) -> None:
        python.write(conftest="import m\n", test_m="def test_add(): assert 1\n")
        assert python.judge(self.CHECK, changed=("conftest.py", "test_m.py")).passed
        assert not python.judge(self.CHECK, changed=("conftest.py",)).passed

    def test_missing_code_does_not_make_up_for_missing_tests(self, python: Tree) -> None:
        python.write(test_m="from m import add\n")
        verdict = python.judge(self.CHECK)
        assert not verdict.passed
        assert "No module named 'm'" in verdict.error

    def test_a_syntax_error_fails_even_beside_missing_code(self, python: Tree) -> None:
        python.write(test_m="from m import add\ndef test_add(): ...\n", test_n="def test_n(:\n")
        verdict = python.judge(self.CHECK)
        assert not verdict.passed
        assert verdict.error.startswith("2 errors in test_m.py, test_n.py\n")

    def test_a_quiet_project_is_read_too(self, python: Tree) -> None:
        (python.root / "pyproject.toml").write_text(PYPROJECT + '[tool.pytest.ini_options]\naddopts = "-q"\n')
        python.write(test_m="def test_m(): assert 0\n")
        assert python.judge(self.CHECK).passed


class TestChanges:
    CHANGED = ("src/a.py", "src/deep/b.py", "docs/a.md")

    @pytest.mark.parametrize(
        ("kind", "globs", "passed"),
        [
            ("touched", ("*.py",), True),
            ("touched", ("tests/**", "*.md"), True),
            ("touched", ("*_test.go",), False),
            ("untouched", ("src/*",), False),
            ("untouched", ("tests/**",), True),
            ("untouched", ("a.md",), False),
        ],
    )
    def test_globs_see_the_whole_change(self, tree: Tree, kind: str, globs: tuple[str, ...], passed: bool) -> None:
        verdict = tree.judge(Check(kind, kind, globs=globs), changed=self.CHANGED)
        assert verdict.passed is passed
        assert bool(verdict.error) is not passed

    def test_errors_name_the_files(self, tree: Tree) -> None:
        verdict = tree.judge(Check("untouched", "untouched", globs=("src/*",)), changed=self.CHANGED)
        assert "src/a.py" in verdict.error
        assert "docs/a.md" not in verdict.error
        verdict = tree.judge(Check("touched", "touched", globs=("*.go",)), changed=self.CHANGED)
        assert verdict.error == "no changed file matches *.go; changed: src/a.py, src/deep/b.py, docs/a.md"
        assert "nothing changed" in tree.judge(Check("touched", "touched", globs=("*.go",))).error

    @pytest.mark.parametrize(
        ("files", "offending"),
        [
            ((), ()),
            ((".",), ()),
            (("src/a.py", "src/deep", "docs/*.md"), ()),
            (("src", "docs/"), ()),
            (("src/a.py",), ("src/deep/b.py", "docs/a.md")),
            (("a.py", "b.py", "a.md"), CHANGED),
            (("src/a", "doc"), CHANGED),
            (("src/**", "docs/[", "*.md"), ()),
        ],
    )
    def test_blast_radius(self, files: tuple[str, ...], offending: tuple[str, ...]) -> None:
        verdict = blast_radius(self.CHANGED, files)
        assert verdict.passed is (offending == ())
        assert all(path in verdict.error for path in offending)

    def test_a_bracketed_name_is_a_file_first(self) -> None:
        assert blast_radius(("app/[id]/page.tsx",), ("app/[id]/page.tsx",)).passed
        assert blast_radius(("app/[id/page.tsx",), ("app/[id",)).passed


class TestSchema:
    CHECK = Check("schema", "schema")

    @pytest.mark.parametrize(
        ("step_type", "output", "passed"),
        [
            ("split", '[{"name": "a", "description": "x"}]', True),
            ("split", '[{"name": "../a", "description": "x"}]', False),
            ("validate", "true", True),
            ("validate", "maybe", False),
            ("artifact", "text", True),
            ("artifact", " ", False),
        ],
    )
    def test_outputs_fit_their_type(self, tree: Tree, step_type: str, output: str, passed: bool) -> None:
        verdict = tree.judge(self.CHECK, step_type=step_type, output=output)
        assert verdict.passed is passed
        assert bool(verdict.error) is not passed

    def test_code_has_no_schema(self, tree: Tree) -> None:
        assert tree.judge(self.CHECK).skipped


def test_gates_that_execute_nothing_never_ask_for_the_tree() -> None:
    def refuse() -> Path:
        raise AssertionError("the tree was materialised")

    bench = Bench(directory=refuse, environment={}, artifacts=Path("/nonexistent"), run=run)
    subject = Subject("code", ("a.py",), lambda _: None)
    for check in (Check("touched", "t", globs=("*",)), Check("schema", "s"), Check("lint", "l")):
        assert judge(check, subject, bench=bench).passed


def test_a_validator_is_not_judged_here(tree: Tree) -> None:
    with pytest.raises(ValueError, match="validate"):
        tree.judge(Check("validate", "review"))
