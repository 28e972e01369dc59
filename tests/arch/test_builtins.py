"""The workflows that come with gumpc: they compile wherever they may be run, and keep what their page promises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gumpc import ir, walk
from gumpc.compiler import Compilation, compile_workflow
from gumpc.config_types import Config
from gumpc.library import Library
from gumpc.rules.world import World
from tests.arch.imports import ROOT

WORKFLOWS = tuple(sorted(path.stem for path in (ROOT / "gumpc/builtin/workflows").glob("*.yaml")))
PAGE = (ROOT / "docs/builtins.md").read_text("utf-8")

REPOSITORIES = {
    "go": {"go.mod": "module example\n"},
    "javascript": {"package.json": json.dumps({"scripts": {"build": "tsc", "test": "jest", "lint": "eslint ."}})},
    "python": {"pyproject.toml": "[project]\nname = 'example'\n"},
}
SPLITS = [name for name in WORKFLOWS if name != "freeform"]


def compiled(name: str, files: dict[str, str], shown_from: Path) -> Compilation:
    library = Library(root=None, home=None, shown_from=shown_from)
    found = library.find(name)
    assert found is not None, name
    return compile_workflow(found, library=library, config=Config(), world=World(Config(), files.get))


def workflow(name: str, shown_from: Path) -> ir.Workflow:
    result = compiled(name, REPOSITORIES["go"], shown_from).workflow
    assert result is not None, name
    return result


def text(template: ir.Template | None) -> str:
    parts = template.parts if template else ()
    return "".join(part.text if isinstance(part, ir.Text) else part.written for part in parts)


@pytest.mark.parametrize("name", WORKFLOWS)
@pytest.mark.parametrize("kind", REPOSITORIES)
def test_it_compiles_without_a_word(name: str, kind: str, tmp_path: Path):
    files = {**REPOSITORIES[kind], "docs/architecture.md": "# Architecture\n"}
    assert compiled(name, files, tmp_path).diagnostics == ()


def test_a_project_without_an_architecture_page_is_only_told_so(tmp_path: Path):
    result = compiled("implement-spec", REPOSITORIES["go"], tmp_path)
    assert [(d.code, d.severity) for d in result.diagnostics] == [("G503", "warning")]
    assert result.workflow is not None


@pytest.mark.parametrize("name", SPLITS)
def test_the_spec_reaches_no_task(name: str, tmp_path: Path):
    found = workflow(name, tmp_path)
    split = next(step for step in walk.steps(found) if isinstance(step, ir.AgentStep) and step.type == "split")
    assert "{spec}" in text(split.prompt)
    below = [step for step in walk.steps(found) if step.path[:1] == split.path and step is not split]
    told = {reference.written for step in below for reference in walk.references(step)}
    assert below
    assert "{spec}" not in told


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_prompt_of_a_task_stands_on_its_own_in_a_new_session(name: str, tmp_path: Path):
    """An attempt in a new session knows nothing but its prompt, so that must hold the task."""
    for step in walk.steps(workflow(name, tmp_path)):
        if not isinstance(step, ir.AgentStep) or not step.task_of:
            continue
        assert "{task.description}" in text(step.prompt), step.path
        prompt = step.prompt
        for entry in step.retry.entries:
            prompt = entry.prompt or prompt
            if entry.session == "new" or entry.agent is not None:
                assert "{task.description}" in text(prompt), (step.path, entry.condition, entry.count)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_what_writes_code_is_limited_and_gated(name: str, tmp_path: Path):
    found = workflow(name, tmp_path)
    assert found.limits.max_budget
    for step in walk.steps(found):
        if isinstance(step, ir.AgentStep):
            assert step.guard.max_turns, step.path
            assert step.gates, step.path
            assert step.retry.attempts > 1, step.path


@pytest.mark.parametrize(("name", "writes", "implements"), [("tdd", "red", "green"), ("bugfix", "reproduce", "patch")])
def test_tests_are_written_by_one_step_and_safe_from_the_other(name: str, writes: str, implements: str, tmp_path: Path):
    globs = {
        (step.path[-1], gate.kind): gate.globs
        for step in walk.steps(workflow(name, tmp_path))
        if isinstance(step, ir.AgentStep)
        for gate in step.gates
        if gate.globs
    }
    assert set(globs) == {(writes, "touched"), (implements, "untouched")}
    assert globs[writes, "touched"] == globs[implements, "untouched"]


def test_the_review_sees_the_change_and_its_comments_come_back(tmp_path: Path):
    found = workflow("implement-spec", tmp_path)
    converge = next(step for step in walk.steps(found) if step.path[-1] == "converge")
    assert isinstance(converge, ir.AgentStep)
    review = next(gate for gate in converge.gates if gate.kind == "validate")
    assert review.call is not None
    assert {binding.name: text(binding.value) for binding in review.call.inputs} == {
        "diff": "{diff}",
        "spec": "{task.description}",
        "agent": "claude-opus",
    }
    prompts = [entry.prompt for entry in converge.retry.entries if entry.prompt]
    assert prompts
    assert all("{gate.review.comments}" in text(prompt) for prompt in prompts)


def test_the_page_lists_each_of_them_with_its_budget(tmp_path: Path):
    for name in WORKFLOWS:
        (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
        assert f"| ${workflow(name, tmp_path).limits.max_budget:g} |" in row
    assert "| `validators/arch-review` |" in PAGE
