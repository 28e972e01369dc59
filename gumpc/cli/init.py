"""`gumpc init`: sets a repository up, and overwrites nothing."""

from __future__ import annotations

from pathlib import Path

import click

from gumpc.cli.console import say
from gumpc.cli.project import find_project
from runtime.errors import RunError
from runtime.workspace import hide_runtime_files

CONFIG = """\
# Configuration of gumpc for this repository. Everything here is optional; these are the defaults.
# default_agent = "claude-sonnet"

[validation]
# compile_cmd = "python3 -m compileall -q src"
# test_cmd = "python3 -m pytest -q"
# lint_cmd = "ruff check"
# timeout = "10m"

[budget]
# max_budget = 5.00
"""

WORKFLOW = """\
# One step with a gate: run it with `gumpc run hello --spec spec.md`, edit it, and run it again.
name: hello
max_budget: 2.00

steps:
  - name: implement
    type: code
    get:
      prompt: |
        Implement this specification. Add or extend tests for it.

        {spec}
    run:
      agent: claude-sonnet
      guard:
        max_turns: 40
    gate: [compile, test]
    retry:
      - attempt: 2
        prompt: |
          This still fails; fix it and keep what is right:
          {error}
      - exit: 3
"""


@click.command("init")
def command() -> int:
    """Make gump.toml and a first workflow in .gump/workflows, unless they are there."""
    root = find_project(Path.cwd()).root
    if root is None:
        raise RunError(f"{Path.cwd()} is not in a git repository", help="run `git init` first")
    hide_runtime_files(root)
    for path, text in ((root / "gump.toml", CONFIG), (root / ".gump/workflows/hello.yaml", WORKFLOW)):
        if path.exists():
            say(f"kept     {path.relative_to(root)}")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        say(f"created  {path.relative_to(root)}")
    say("next:  gumpc check           finds what is wrong with your workflows")
    say("       gumpc playbook list   shows those that come with gumpc")
    return 0
