"""What the tests of agents share: the real CLI from npm, a scripted model for it, and an environment of its own.

The CLI is the one that `make agents` installed, never one that happens to be on this machine: another version has
another stream, and a developer's own is logged in to a real account.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.project import environment
from tests.modelserver import ModelServer

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def claude_cli() -> Path:
    """The path of the `claude` executable; the test is skipped when it is not installed."""
    path = CHECKOUT / os.environ.get("AGENTS_DIR", ".agents") / "node_modules" / ".bin" / "claude"
    if not path.exists():
        how = "run `make agents`" if shutil.which("npm") else "npm is not installed, so `make agents` could not either"
        pytest.skip(f"Claude Code is not installed in {path.parents[2].name}: {how}")
    return path


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    """A model server without rules yet: `model_server.play(Rule(…), …)` gives it some."""
    with ModelServer() as server:
        yield server


@pytest.fixture
def clean_environment(claude_cli: Path, model_server: ModelServer, tmp_path: Path) -> dict[str, str]:
    """The whole environment for a CLI that asks `model_server`."""
    (tmp_path / "home").mkdir()
    return environment(tmp_path, claude=claude_cli, url=model_server.url)
