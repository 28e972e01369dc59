"""docs/getting-started.md, done as it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow.console import Sandbox

PAGE = Path(__file__).parents[2] / "docs" / "getting-started.md"


@pytest.mark.slow
def test_the_page_is_true(tmp_path: Path):
    typed = Sandbox(tmp_path).follow(PAGE)
    called = {command.partition("gumpc ")[2].split()[0] for command in typed if "gumpc " in command}
    assert called >= {"demo", "check", "plan", "run", "report", "diff", "explain", "status", "resume", "apply"}
