"""Judges whether a project has tests, from what its runner lists, whatever their result would be.

Tests may come before the code that they test. A runner then can't load them, and that alone does not mean that there
are none: when everything it complains about is code that does not exist yet, and test functions stand in the files
concerned, they count as found, and the verdict says so. Any other complaint (a syntax error) fails the gate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from runtime.gates.check import Subject
from runtime.gates.commands import Ran


@dataclass(frozen=True, slots=True)
class Runner:
    """How a test runner speaks.

    `listed` is a line per test. `fault` is a line per complaint, its first group the file if it names one, and
    `missing` is the same line, or one for each, when the cause is absent code. `file` is how a file with tests is
    named, `test` how a test in it begins.
    """

    listed: re.Pattern[str]
    fault: re.Pattern[str] | None = None
    missing: re.Pattern[str] | None = None
    file: re.Pattern[str] | None = None
    test: re.Pattern[str] | None = None


def _lines(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.MULTILINE)


PYTEST = Runner(
    listed=_lines(r"^\S.*::.+$|^\S.*\.py: \d+$"),
    fault=_lines(r"^_+ ERROR collecting (.+?) _+$|^ImportError while loading conftest .*$"),
    missing=_lines(r"^ImportError while (?:importing test module|loading conftest) .*$"),
    file=re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test)\.py$"),
    test=_lines(r"^\s*(?:async\s+)?def test"),
)
GO = Runner(
    listed=_lines(r"^(?:Test|Fuzz|Example)\w*$"),
    fault=_lines(r"^(?:vet: )?(\S+\.go):\d+:\d+: .*$"),
    missing=_lines(
        r"^(?:vet: )?\S+_test\.go:\d+:\d+: (?:undefined: |.* undefined \(type |no required module provides).*$"
    ),
    file=re.compile(r"_test\.go$"),
    test=_lines(r"^func (?:Test|Fuzz|Example)"),
)
CARGO = Runner(
    listed=_lines(r"^\S.*: test$"),
    fault=_lines(r"^error(?!: could not compile|: aborting)\b.*$"),
    missing=_lines(r"^error\[E0(?:405|412|422|423|425|432|433|599)\]: .*$"),
    file=re.compile(r"\.rs$"),
    test=_lines(r"^\s*#\[(?:\w+::)?test\b"),
)
NODE = Runner(listed=_lines(r"^\S.*$"))
_RUNNERS = {"go.mod": GO, "Cargo.toml": CARGO, "package.json": NODE}
_PYTEST_NO_TESTS = 5


def runner_of(marker: str) -> Runner:
    """The runner that a project with this marker file lists its tests with."""
    return _RUNNERS.get(marker, PYTEST)


@dataclass(frozen=True, slots=True)
class Listing:
    """Whether tests were found; `reason` says why not, or, of tests that can't be loaded yet, what is missing.

    An empty `reason` of a listing without tests means that the runner's own output says it best.
    """

    found: bool
    reason: str = ""


def read_listing(runner: Runner, ran: Ran, subject: Subject) -> Listing:
    """What the runner's listing says about the tests of a tree."""
    if ran.passed:
        count = len(runner.listed.findall(ran.stdout))
        return Listing(found=count > 0, reason="" if count else "the test runner lists no test")
    if runner is PYTEST and ran.exit.code == _PYTEST_NO_TESTS:
        return Listing(found=False, reason="pytest collects no test")
    output = f"{ran.stdout}\n{ran.stderr}"
    missing = _missing_code(runner, output)
    if not missing or not any(_has_test(runner, text) for text in _test_files(runner, output, subject)):
        return Listing(found=False)
    return Listing(found=True, reason=f"the tests are there, and the code that they test is not yet: {missing}")


def _missing_code(runner: Runner, output: str) -> str:
    """What the first complaint says, if absent code is behind all of them; else an empty string."""
    if runner.fault is None or runner.missing is None:
        return ""
    faults = sum(1 for _ in runner.fault.finditer(output))
    missing = [match[0] for match in runner.missing.finditer(output)]
    if not missing or len(missing) < faults:
        return ""
    cause = re.search(r"^E\s+((?:ModuleNotFound|Import)Error: .*)$", output, re.MULTILINE)
    return cause[1] if cause else missing[0].strip()


def _test_files(runner: Runner, output: str, subject: Subject) -> Iterator[str]:
    """Texts of the files that may hold the tests: those that the runner names, and those that the step changed."""
    if runner.file is None:
        return
    for path in dict.fromkeys([*_named_files(runner, output), *subject.changed]):
        if runner.file.search(path):
            yield subject.read(path) or ""


def _named_files(runner: Runner, output: str) -> Iterator[str]:
    if runner.fault is not None and runner.fault.groups:
        yield from (match[1].removeprefix("./") for match in runner.fault.finditer(output) if match[1])


def _has_test(runner: Runner, text: str) -> bool:
    return runner.test is not None and runner.test.search(text) is not None
