"""The sandbox that flow tests work in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow.sandbox import Sandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """A repository with a spec in it, and an agent that has no rules yet."""
    return Sandbox.create(tmp_path)
