"""Printed forms of test runners and coverage tools, as the tools print them."""

from __future__ import annotations

import pytest

from runtime.gates.check import Subject
from runtime.gates.commands import Ran
from runtime.gates.tests_found import CARGO, GO, NODE, Runner, read_listing
from runtime.gates.tool_output import coverage_percent, error_text, plain_text, pytest_summary
from runtime.process import Exit

PYTEST = """\
=========================== short test summary info ============================
FAILED tests/test_a.py::test_bad - AssertionError: line
  other
assert 1 == 2
FAILED tests/test_a.py::test_p[a - b] - AssertionError: assert 'a - b' == 'z'
FAILED tests/my tests/test_b.py::test_p[c d]
ERROR tests/test_a.py::test_e - ValueError: x
ERROR tests/test_s.py
ERROR tests/test_t.py - NameError: name 'x' is not defined
3 failed, 1 passed, 3 errors in 0.69s
"""


def test_pytest_failures_in_one_line() -> None:
    assert pytest_summary(PYTEST) == (
        "3 failed in tests/test_a.py, tests/my tests/test_b.py; "
        "3 errors in tests/test_a.py, tests/test_s.py, tests/test_t.py"
    )
    assert pytest_summary("FAILED x::y\n") == ""


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        ("TOTAL                 6      1    83%\n1 passed", 83.0),
        ("TOTAL      6   1   4   1    83.33%\nRequired test coverage of 90% not reached.", 83.33),
        ("a.go:3:\tF\t50.0%\ntotal:\t\t\t(statements)\t66.7%", 66.7),
        ("All files |   85.71 |      100 |     50 |   85.71 |", 85.71),
        ("Lines        : 90.5% ( 19/21 )", 90.5),
        ("85.71% coverage, 30/35 lines covered", 85.71),
        ("x.rs 10 2 80.00% 3 0 100.00% 20 4 80.00%\nTOTAL 10 2 80.00% 3 0 100.00% 20 5 75.00% 0 0 -", 75.0),
        ("measuring\n 72.5 %\n", 72.5),
        ("TOTAL 1 0 100%", 100.0),
        ("TOTAL 1 0 250%", None),
        ("no figure, 80% sure", None),
        ("", None),
    ],
)
def test_coverage_totals(text: str, percent: float | None) -> None:
    assert coverage_percent(text) == percent


def test_terminal_output_becomes_text() -> None:
    assert plain_text(b"\x1b[31mred\x1b[0m\r\n10%\r50%\r100%\nx\0y\xff\n") == "red\n100%\nx\ufffdy\ufffd"


def test_an_error_keeps_both_streams_within_the_limit() -> None:
    warnings = "\n".join(f"warning {n}" for n in range(500))
    results = "\n".join(f"ok {n}" for n in range(500)) + "\nFAIL: the reason"
    text = error_text(results, warnings, limit=2_000)
    assert len(text) <= 2_000
    assert text.startswith("warning 0\n")
    assert text.endswith("FAIL: the reason")
    assert error_text("", "boom", limit=2_000) == "boom"
    assert error_text("boom", "", limit=2_000) == "boom"
    assert error_text(results, "short warning", limit=2_000).startswith("short warning\nok 0\n")
    assert len(error_text(PYTEST * 50, warnings, limit=2_000)) <= 2_000
    assert len(error_text(PYTEST.replace("test_a", "long" * 500), warnings, limit=2_000)) <= 2_000


def listing(runner: Runner, code: int, stdout: str, stderr: str = "", **files: str) -> tuple[bool, str]:
    tree = {name.replace("__", "."): text for name, text in files.items()}
    subject = Subject("code", tuple(tree), tree.get)
    found = read_listing(runner, Ran(Exit("exited", code, None, 0.1), stdout, stderr), subject)
    return found.found, found.reason


def test_go_lists_tests_but_no_benchmarks() -> None:
    assert listing(GO, 0, "TestA\nok  \tm\t0.002s\n?   \tm/x\t[no test files]")[0]
    assert not listing(GO, 0, "BenchmarkA\nok  \tm\t0.002s")[0]


def test_go_tests_before_their_code_count() -> None:
    output = "# m [m.test]\n./a_test.go:6:2: undefined: Add\nFAIL\tm [build failed]"
    test = "package m\n\nfunc TestAdd(t *testing.T) {"
    assert listing(GO, 1, "FAIL", output, a_test__go=test)[0]
    assert not listing(GO, 1, "FAIL", output, a_test__go="package m")[0]
    assert not listing(GO, 1, "FAIL", "./a_test.go:6:2: syntax error: unexpected }", a_test__go=test)[0]
    assert not listing(GO, 1, "FAIL", f"{output}\n./b.go:1:1: undefined: X", a_test__go=test)[0]


def test_cargo_lists_tests_and_tells_absent_code() -> None:
    assert listing(CARGO, 0, "tests::adds: test\n\n1 test, 0 benchmarks")[0]
    assert not listing(CARGO, 0, "0 tests, 0 benchmarks")[0]
    absent = "error[E0425]: cannot find function `add` in this scope\nerror: could not compile `m` (lib test)"
    assert listing(CARGO, 101, "", absent, lib__rs="#[test]\nfn adds() {}")[0]
    assert not listing(CARGO, 101, "", "error: expected `;`, found `}`", lib__rs="#[test]\nfn adds() {}")[0]


def test_node_runners_list_one_per_line() -> None:
    assert listing(NODE, 0, "/x/src/a.test.ts\n")[0]
    assert not listing(NODE, 0, "")[0]
    assert not listing(NODE, 1, "No tests found")[0]
