"""The script of the `tdd` scenario does, with the real CLI, what the tests that build on it take for granted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.agents.protocol import Launch
from tests.agents.drive import Call, drive_claude
from tests.agents.tdd_script import REPOSITORY, TASKS, Marks, tdd_rules
from tests.modelserver import ModelServer

pytestmark = [pytest.mark.agents, pytest.mark.slow]

MARKS = Marks()


def test_add_takes_two_models_and_mul_one(
    model_server: ModelServer, clean_environment: dict[str, str], tmp_path: Path
) -> None:
    directory = tmp_path / "repo"
    directory.mkdir()
    for name, content in REPOSITORY.items():
        (directory / name).write_text(content)
    model_server.play(*tdd_rules())

    def ask(mark: str, task: str, model: str, after: Call | None = None, *, read_only: bool = False) -> Call:
        session = after.outcome.session_id if after else None
        launch = Launch(f"{mark}\n\n{task}", str(directory), model, session_id=session, read_only=read_only)
        call = drive_claude(launch, clean_environment)
        assert call.outcome.failure is None
        return call

    def tests_pass() -> bool:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        return subprocess.run(command, cwd=directory, capture_output=True, check=False).returncode == 0

    ask(MARKS.split, "the spec", "opus", read_only=True)
    assert json.loads((directory / ".gump/out/plan.json").read_text()) == list(TASKS)

    red = ask(MARKS.red, MARKS.add, "haiku")
    assert red.written == ["test_add.py"]
    assert not tests_pass()
    cheap = ask(MARKS.green, MARKS.add, "haiku", red)
    assert cheap.written == ["calc.py"]
    assert not tests_pass()
    assert ask(MARKS.retry, MARKS.add, "haiku", cheap).written == []
    assert ask(MARKS.escalated, MARKS.add, "sonnet").written == ["calc.py"]
    assert tests_pass()

    red = ask(MARKS.red, MARKS.mul, "haiku")
    assert not tests_pass()
    assert ask(MARKS.green, MARKS.mul, "haiku", red).written == ["calc.py"]
    assert tests_pass()
