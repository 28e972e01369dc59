"""docs/language.md: its examples compile, and its table of what is refused is what `run` refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.flow.console import Sandbox

PAGE = Path(__file__).parents[2] / "docs" / "language.md"
EXAMPLES = [
    text
    for text in re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    if text.startswith("name:") and "\nsteps:" in text
]
HEAD = "name: it\nsteps:\n"
CALLED = 'validators/arch-review, with: {diff: "{diff}", spec: s, agent: offline}'


def code(name: str, more: str = "") -> str:
    """A code step in YAML's flow style."""
    return f"{{name: {name}, type: code, prompt: x, agent: offline{more and f', {more}'}}}"


REFUSED = {
    "`parallel: true` of a group": f"- {{name: g, parallel: true, steps: [{code('a')}]}}",
    "`parallel: true` of a split": f"- {{name: a, type: split, prompt: x, parallel: true, each: [{code('b')}]}}",
    "`validate` as a gate": f"- {code('a', f'gate: [{{validate: {CALLED}}}]')}",
    "`validate` in a retry": "- "
    + code("a", f"gate: [test], retry: [{{validate: {CALLED}, session: new}}, {{exit: 2}}]"),
    "`get.workflow`": "- {name: a, type: code, get: {workflow: freeform, spec: s, prompt: '{freeform.output}'}}",
    "`hitl`": f"- {code('a', 'hitl: true')}",
    "`gate` of a group": f"- {{name: g, gate: [test], steps: [{code('a')}]}}",
    "`retry` of a group": f"- {{name: g, retry: [{{exit: 2}}], steps: [{code('a')}]}}",
    "`restart_from`": f"- {code('a')}\n- "
    + code("b", "gate: [test], retry: [{attempt: 2, restart_from: a}, {exit: 3}]"),
    "`replan`": "- {name: s, type: split, prompt: x, each: ["
    + code("b", "gate: [test], retry: [{attempt: 2, replan: offline}, {exit: 3}]")
    + "]}",
    "`worktree: none`": "- {name: a, type: artifact, prompt: x, worktree: none}",
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    sandbox = Sandbox(tmp_path_factory.mktemp("repository"))
    (sandbox.folder / "gump.toml").write_text('[validation]\ntest_cmd = "true"\ncompile_cmd = "true"\n')
    made = sandbox.run("git init -q && git add -A gump.toml && git commit -qm start")
    assert made.code == 0, made.output
    return sandbox


def test_there_are_examples():
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_compiles(number: int, repository: Sandbox):
    path = repository.folder / f"example-{number}.yaml"
    path.write_text(EXAMPLES[number], "utf-8")
    result = repository.run(f"gumpc check {path.name}")
    assert result.code == 0, result.output
    assert re.sub(r"warning\[G310\]", "", result.output).count("warning[") == 0, result.output


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_carried_out_is_refused(name: str, repository: Sandbox):
    (repository.folder / "it.yaml").write_text(HEAD + REFUSED[name], "utf-8")
    checked = repository.run("gumpc check it.yaml")
    assert checked.code == 0, checked.output
    planned = repository.run("gumpc plan it.yaml --dirty")
    assert planned.code == 0, planned.output
    result = repository.run("gumpc run it.yaml --dirty")
    assert result.code == 2, result.output
    assert "not carried out by this version" in result.output
