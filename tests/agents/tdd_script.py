"""A small repository and a model's part in it: the `tdd` workflow, with one step that needs a stronger model.

The spec splits into `add` and `mul`, each a function of `calc.py` with a test file of its own. `red` writes the tests
and a stub, `green` the function. The cheap model is stuck at one of the steps of `add`, however often it is asked; the
strong model gets it right. `mul` is right at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from tests.modelserver import Rule, Turn, call, say

REPOSITORY: Mapping[str, str] = {
    "calc.py": '"""Sums."""\n\n\ndef sub(a, b):\n    return a - b\n',
    "test_sub.py": "from calc import sub\n\n\ndef test_sub():\n    assert sub(3, 2) == 1\n",
    "pyproject.toml": '[project]\nname = "calc"\nversion = "0"\n',
    ".gitignore": "__pycache__/\n.pytest_cache/\n",
}
"""The files of the repository, by path."""

SPEC = "# Calculator\n\n`calc.py` also adds two numbers and multiplies two numbers.\n"

TASKS = (
    {
        "name": "add",
        "description": "The function add(a, b) of calc.py returns the sum of two numbers.",
        "files": ["calc.py", "test_add.py"],
    },
    {
        "name": "mul",
        "description": "The function mul(a, b) of calc.py returns the product of two numbers.",
        "files": ["calc.py", "test_mul.py"],
    },
)


@dataclass(frozen=True, slots=True)
class Marks:
    """The texts by which the prompts of the workflow are told apart, and the models by a part of their ids.

    `add` and `mul` must be in every prompt of their task and in none of the other's.
    """

    split: str = "split the work into tasks"
    red: str = "Write the tests for this task"
    green: str = "Make the failing tests pass"
    retry: str = "The last attempt was not accepted"
    escalated: str = "Earlier attempts at this task did not pass"
    add: str = "test_add.py"
    mul: str = "test_mul.py"
    cheap: str = "haiku"
    strong: str = "sonnet"


def tdd_rules(marks: Marks | None = None, *, stuck: Literal["red", "green"] = "green") -> list[Rule]:
    """The rules for a model server that plays the workflow on `REPOSITORY`; `stuck` is the step of `add` that fails.

    A cheap model that is stuck at `red` writes no test, at `green` the wrong code.
    """
    marks = marks or Marks()
    plan = call("Write", file_path="{cwd}/.gump/out/plan.json", content=json.dumps(TASKS, indent=2))
    split = Rule([marks.split], [Turn([plan]), Turn([say("Two tasks: add and mul.")])], name="split")
    no_test = Rule([marks.red, marks.add], [Turn([say("The tests can wait.")])], marks.cheap, "red add, stuck")
    wrong = "a - b" if stuck == "green" else None
    return [
        split,
        *([no_test] if stuck == "red" else []),
        *_task(marks, "add", marks.add, right="a + b", wrong=wrong, example="(2, 3) == 5"),
        *_task(marks, "mul", marks.mul, right="a * b", wrong=None, example="(2, 3) == 6"),
    ]


def _task(marks: Marks, name: str, mark: str, *, right: str, wrong: str | None, example: str) -> Iterator[Rule]:
    """The rules of one task; `wrong` is what the cheap model takes for `right`."""
    yield Rule([marks.red, mark], list(_red(name, example)), name=f"red {name}")
    bodies = [_stub(name), f"return {wrong}"] if wrong else [_stub(name)]
    for prompt in (marks.escalated, marks.green, marks.retry):
        turns = list(_green(name, bodies, f"return {right}"))
        yield Rule([prompt, mark], turns, model=marks.strong, name=f"green {name}, strong")
    first = f"return {wrong or right}"
    yield Rule([marks.green, mark], list(_green(name, [_stub(name)], first)), model=marks.cheap, name=f"green {name}")
    no_fault = [Turn([call("Read", file_path="{cwd}/calc.py")]), Turn([say("I find no fault in it.")])]
    yield Rule([marks.retry, mark], no_fault, model=marks.cheap, name=f"green {name}, again")


def _stub(name: str) -> str:
    return f'raise NotImplementedError("{name}")'


def _red(name: str, example: str) -> Iterator[Turn]:
    test = f"from calc import {name}\n\n\ndef test_{name}():\n    assert {name}{example}\n"
    stub = f"\n\ndef {name}(a, b):\n    {_stub(name)}\n"
    yield Turn([call("Write", file_path=f"{{cwd}}/test_{name}.py", content=test)])
    yield Turn([call("Bash", command=f"cat >> calc.py <<'STUB'\n{stub}STUB")])
    yield Turn([say(f"test_{name}.py fails as {name} is missing.")])


def _green(name: str, before: list[str], after: str) -> Iterator[Turn]:
    """Put `after` in the place of whichever of `before` is the function's body; the other edits find nothing."""
    head = f"def {name}(a, b):\n    "
    yield Turn([call("Read", file_path="{cwd}/calc.py")])
    yield Turn(
        [call("Edit", file_path="{cwd}/calc.py", old_string=head + body, new_string=head + after) for body in before]
    )
    yield Turn([say(f"{name} is implemented.")])
