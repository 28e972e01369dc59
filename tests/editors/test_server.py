"""The schema in the language server that VS Code, Neovim and others use: what a person sees while typing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.server import Editor
from tests.editors.test_schema import COMMITTED, ROOT, SOUND

pytestmark = [pytest.mark.slow, pytest.mark.editors]

MODELINE = f"# yaml-language-server: $schema={COMMITTED.as_uri()}\n"
STEP = """\
name: fix
steps:
  - name: implement
    type: code
    agent: claude-haiku
    prompt: "{spec}"
"""


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    folder = ROOT / os.environ.get("EDITORS_DIR", ".editors")
    command = folder / "node_modules" / ".bin" / "yaml-language-server"
    if not command.exists():
        how = (
            "run `make editors`" if shutil.which("npm") else "npm is not installed, so `make editors` could not either"
        )
        pytest.skip(f"yaml-language-server is not installed in {folder.name}: {how}")
    with Editor(command, tmp_path_factory.mktemp("editor")) as started:
        yield started


def said(editor: Editor, name: str, text: str) -> list[tuple[int, str]]:
    """Line in the text, from 1, and message of each diagnostic."""
    return [(d["range"]["start"]["line"], d["message"]) for d in editor.open(name, MODELINE + text)]


@pytest.mark.parametrize("path", SOUND, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_said_of_a_sound_file(editor: Editor, path: Path) -> None:
    assert said(editor, str(path.relative_to(ROOT)), path.read_text("utf-8")) == []


def test_an_unknown_key_is_underlined(editor: Editor) -> None:
    assert said(editor, "unknown.yaml", STEP + "    gates: [test]\n") == [(7, "Property gates is not allowed.")]


@pytest.mark.parametrize(
    ("added", "line", "part"),
    [
        ("    type: review\n", 4, "artifact"),
        ("    guard: {max_time: 5}\n", 7, '"string"'),
        ("    guard: {max_time: 5 min}\n", 7, "1h30m"),
        ("    gate: [tests]\n", 7, "tests_found"),
        ("    gate:\n      - bash: make\n        named: x\n", 9, "named is not allowed"),
        ("    retry:\n      - attempt: 2\n", 8, "required"),
        ("    retry:\n      - exit: 2\n        agent: x\n", 9, "agent is not allowed"),
        ("    run: {agent: claude-opus}\n", 5, "agent is not allowed"),
        ("    each: []\n", 7, "each is not allowed"),
    ],
)
def test_a_fault_is_told_where_it_is(editor: Editor, added: str, line: int, part: str) -> None:
    text = STEP.replace("    type: code\n", added) if added.startswith("    type") else STEP + added
    found = said(editor, f"fault-{abs(hash(added))}.yaml", text)
    assert [at for at, message in found if part in message] == [line], found


def test_a_key_is_explained(editor: Editor) -> None:
    editor.open("hover.yaml", MODELINE + STEP + "    guard: {max_turns: 40}\n")
    assert "ends an attempt" in editor.hover("hover.yaml", 7, 6)
    assert "most turns" in editor.hover("hover.yaml", 7, 14)
    assert "What the step makes" in editor.hover("hover.yaml", 4, 6)


def test_keys_and_words_are_offered(editor: Editor) -> None:
    editor.open("offer.yaml", MODELINE + STEP + "    worktree: \n    gate:\n      - \n")
    assert set(editor.completions("offer.yaml", 7, 14)) >= {"read-write", "read-only"}
    assert set(editor.completions("offer.yaml", 9, 8)) >= {"compile", "test", "lint"}
    editor.open("keys.yaml", MODELINE + STEP + "    \n")
    assert set(editor.completions("keys.yaml", 7, 4)) >= {"retry", "guard", "context"}
