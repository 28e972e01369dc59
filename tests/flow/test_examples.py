"""Every example, copied and run: its plan, its runs, and the commands of its README."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from tests.flow.console import Sandbox

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())


def make_copy(sandbox: Sandbox, name: str) -> str:
    """A repository with the example; gives the name of its one workflow."""
    shutil.copytree(EXAMPLES / name, sandbox.folder / name)
    made = sandbox.run(f"cd {name} && git init -q && git add -A && git commit -qm start")
    assert made.code == 0, made.output
    (workflow,) = (sandbox.folder / ".gump/workflows").iterdir()
    return workflow.stem


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_once(name: str, tmp_path: Path):
    sandbox = Sandbox(tmp_path)
    workflow = make_copy(sandbox, name)
    assert sandbox.run("gumpc check --strict").output == "no faults in 1 workflow\n"
    first = sandbox.run(f"gumpc run {workflow} --spec spec.md")
    assert first.code == 0, first.output
    assert "→ attempt 2" in first.output
    again = sandbox.run(f"gumpc run {workflow} --spec spec.md --json 2>&1")
    assert again.code == 0, again.output
    assert '"agent_launched"' not in again.output
    assert '"gate_started"' not in again.output
    assert sandbox.run("git status --porcelain").output == ""


@pytest.mark.parametrize("name", NAMES)
def test_its_plan_is_as_expected(name: str, tmp_path: Path):
    sandbox = Sandbox(tmp_path)
    workflow = make_copy(sandbox, name)
    plan = sandbox.run(f"gumpc plan {workflow} --spec spec.md").output
    settled = re.sub(r"main@[0-9a-f]+", "main@…", plan)
    golden = EXAMPLES / name / "plan.txt"
    if os.environ.get("GUMPC_UPDATE_GOLDEN"):
        golden.write_text(settled, "utf-8")
    assert settled == golden.read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_its_readme_is_true(name: str, tmp_path: Path):
    sandbox = Sandbox(tmp_path)
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    typed = sandbox.follow(EXAMPLES / name / "README.md")
    assert sum("gumpc run" in command for command in typed) == 2
