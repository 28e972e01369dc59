"""What `gumpc check` really loads, as the interpreter reports it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.arch.imports import PACKAGES, files
from tests.arch.test_imports import HEAVY

ARCHIVE = """\
name: archive
steps:
  - name: note
    type: artifact
    prompt: "Summarise {spec}"
    agent: claude-haiku
"""

ONLY_WHEN_ASKED = ("click", "gumpc.code_pages", "gumpc.fixing", "gumpc.formats", "gumpc.ignores", "gumpc.cli.fixing")
"""What serves options, or comments that few files hold."""


def modules_loaded(workflow: str, folder: Path) -> frozenset[str]:
    """Every module that `python -m gumpc check` imports for one workflow without faults."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "gumpc", "check", workflow],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
        check=False,
    )
    table, said = [], []
    for line in done.stderr.splitlines():
        (table if line.startswith("import time:") else said).append(line)
    assert done.returncode == 0, "\n".join([done.stdout, *said])
    return frozenset(line.rpartition("|")[2].strip() for line in table)


@pytest.mark.parametrize("workflow", ["archive.yaml", "tdd", "implement-spec"])
def test_check_loads_nothing_heavy(tmp_path: Path, workflow: str):
    (tmp_path / "archive.yaml").write_text(ARCHIVE, "utf-8")
    (tmp_path / "go.mod").write_text("module example\n", "utf-8")
    loaded = modules_loaded(workflow, tmp_path)
    assert "gumpc.compiler" in loaded
    assert [name for name in HEAVY if name in loaded] == []
    assert sorted(m for m in loaded if m.partition(".")[0] == "runtime") == []
    assert sorted(m for m in loaded if m.startswith(ONLY_WHEN_ASKED)) == []
    assert {m for m in loaded if m.partition(".")[0] in PACKAGES} <= set(files())
