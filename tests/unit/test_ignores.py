"""Comments that silence a code: which lines each reaches, and what is text that only looks like one."""

from __future__ import annotations

from pathlib import Path

import pytest

from gumpc.compiler import Compilation, compile_workflow
from gumpc.config_types import Config
from gumpc.ignores import find_ignores
from gumpc.library import Found, Library
from gumpc.rules.world import World

STEP = "steps:\n  - name: one\n    type: artifact\n    agent: claude-haiku\n"


def compiled(text: str, *, repository: bool = False) -> Compilation:
    config = Config()
    world = World(config, (lambda _: None) if repository else None)
    library = Library(root=None, home=None, shown_from=Path("nowhere"))
    return compile_workflow(Found("f.yaml", None, text.encode()), library=library, config=config, world=world)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: b # gumpc: ignore[G101]\nc: d\n", [(("G101",), 1, 1)]),
        ("# gumpc: ignore[G101,G2]\na: b\n", [(("G101", "G2"), 2, 2)]),
        ("a:\n  # gumpc: ignore[G101]\n\n  # more\n  b: c\n", [(("G101",), 5, 5)]),
        ("# gumpc: ignore[G1]\r\na: |\r\n  b\r\n  c\r\nd: e\r\n", [(("G1",), 2, 4)]),
        ("a: > # gumpc: ignore[G1]\n  b\n\n  c\n# after\n", [(("G1",), 1, 4)]),
        ('a: "b\n  c" # gumpc: ignore[G1]\n', [(("G1",), 2, 2)]),
        ('# gumpc: ignore[G1]\na: "b\n  c"\n', [(("G1",), 2, 3)]),
        ("a: |\n  # gumpc: ignore[G1]\nb: c\n", []),
        ("a: '# gumpc: ignore[G1]'\n", []),
        ('a: "b\n  # gumpc: ignore[G1]\n  c"\n', []),
        ("a: b# gumpc: ignore[G1]\n", []),
        ("a: |\n  b\n # gumpc: ignore[G1]\nc: d\n", [(("G1",), 4, 4)]),
        ("a: b # gumpc: ignored\n", []),
        ("a: b # gumpc: ignore\n", [((), 1, 1)]),
        ("a: b # gumpc: ignore[G1]", [(("G1",), 1, 1)]),
        ("# gumpc: ignore[G1]", [(("G1",), 1, 1)]),
        ("a: b # gumpc: ignore[G1]\nc: \t@\nd: e # gumpc: ignore[G2]\n", [(("G1",), 1, 1)]),
        ('a: b # gumpc: ignore[G1]\nc: "\\U99999999" # gumpc: ignore[G2]\n', [(("G1",), 1, 1)]),
        ('a: b # gumpc: ignore[G1]\nc: "\\Uffffffff" # gumpc: ignore[G2]\n', [(("G1",), 1, 1)]),
        ("\u2028 # gumpc: ignore[G1]\n\U0001f600: b # gumpc: ignore[G2]\n", [(("G1",), 2, 2), (("G2",), 2, 2)]),
    ],
)
def test_the_lines_that_a_comment_reaches(text: str, expected: list[tuple[tuple[str, ...], int, int]]) -> None:
    assert [(i.codes, i.first, i.last) for i in find_ignores("f.yaml", text)] == expected


def test_only_the_named_code_is_silenced_and_only_there() -> None:
    text = f"name: f\nmax_budget: -1 # gumpc: ignore[G106]\nmax_timeout: -1m\nmax_tokens: 0\n{STEP}    prompt: x\n"
    said = compiled(text)
    assert [(d.code, d.span.line) for d in said.diagnostics] == [("G107", 3), ("G106", 4)]
    assert [(d.code, d.span.line) for d in said.silenced] == [("G106", 2)]


def test_a_silenced_error_is_told_to_who_wants_to_run_the_workflow() -> None:
    said = compiled(f"name: f\n{STEP}    prompt: '{{nowhere.output}}' # gumpc: ignore[G302]\n")
    assert said.diagnostics == ()
    assert said.workflow is None
    assert [d.code for d in said.in_the_way] == ["G302"]


def test_a_silenced_warning_is_told_to_nobody() -> None:
    said = compiled(f"name: f\n{STEP}    prompt: '{{attempt}}' # gumpc: ignore[G313]\n")
    assert said.workflow is not None
    assert said.in_the_way == ()


@pytest.mark.parametrize(("repository", "codes"), [(False, []), (True, ["G011"])])
def test_what_only_a_repository_can_bring_about_is_judged_in_one(repository: bool, codes: list[str]) -> None:
    text = f"name: f\n{STEP}    prompt: x\n    gate: [tests_found] # gumpc: ignore[G505]\n"
    assert [d.code for d in compiled(text, repository=repository).diagnostics] == codes


def test_a_file_that_could_not_be_read_to_its_end_is_not_told_of_vain_comments() -> None:
    assert [d.code for d in compiled("name: f # gumpc: ignore[G103]\nsteps: [\n").diagnostics] == ["G002"]


def test_a_large_file_full_of_comments_is_read_in_a_moment() -> None:
    text = f"name: f\n{STEP}    prompt: x\n" + "# gumpc: ignore[G102]\n" * 20_000 + "max_budge: 1\n"
    assert [(d.code, d.span.line) for d in compiled(text).silenced] == [("G102", text.count("\n"))]
