"""Time `gumpc check` beside `yamllint` on one workflow of 100 lines with 17 references, as whole processes.

Both are Python programs started through their console scripts, so the interpreter's own start is in both figures;
`python -c pass` says how much that is.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from _measure import BIN, alternate, arguments, command, compiled, publish, ratio

TARGET = 1.5
LINES = 100
REFERENCES = 17

YAMLLINT = "extends: default\nrules: {line-length: disable, document-start: disable, braces: disable}\n"
WORKFLOW = """\
# A feature from its specification: decompose, test first, implement, review and document.

name: feature
description: Decompose a specification, then build each task test first
max_budget: 12.00

x-tests: &tests ["test_*", "*_test.*", "*.spec.*"]

steps:
  - name: survey
    type: artifact
    prompt: |
      Read the repository and the specification below, and say which modules the change touches.

      {spec}

      Name for each module what it does today and what will have to change.
    agent: claude-haiku
    guard: {max_turns: 30, max_budget: 0.50}

  - name: decompose
    type: split
    get:
      prompt: |
        Split the specification into tasks that can be tested by themselves.

        # What the survey found
        {survey.output}

        # Specification
        {spec}
    run:
      agent: claude-sonnet
      guard: {max_turns: 40, max_budget: 1.50}
    gate: [schema]
    retry:
      - attempt: 2
        prompt: "The tasks were not accepted: {error}. Write them again for: {spec}"
      - exit: 3
    each:
      - name: red
        type: code
        prompt: |
          Write failing tests for this task. Do not implement it.

          {task.description}

          Files of this task: {task.files}
        agent: claude-haiku
        gate:
          - compile
          - touched: *tests
          - tests_found

      - name: green
        type: code
        get:
          session: {from: red}
          context:
            - bash: git log --oneline -5
          prompt: |
            Make the tests of `{task.name}` pass without changing them.

            {task.description}

            The tests are in: {red.files}
            What was changed for them: {red.diff}
        run:
          agent: claude-haiku
          guard: {max_turns: 60, max_budget: 2.00, max_time: 30m}
        gate:
          - compile
          - test
          - untouched: *tests
        retry:
          - attempt: 2
            agent: claude-sonnet
            prompt: |
              The change was not accepted:

              {error}

              The task was: {task.description}
              The tests are in: {red.files}
          - exit: 3

  - name: quality
    gate: [compile, test]

  - name: review
    type: artifact
    prompt: |
      Review the change against the specification {spec} and what the survey expected:
      {survey.output}
    agent: claude-opus

  - name: notes
    type: artifact
    prompt: "Write release notes from: {spec}"
    agent: claude-haiku
"""


def main() -> int:
    """Measure and print; 0 unless the workflow is not what the title says."""
    asked = arguments(__doc__ or "", runs=21)
    lines, references = WORKFLOW.count("\n"), len(re.findall(r"(?<=[^$])\{[a-z./]+\}", WORKFLOW))
    if (lines, references) != (LINES, REFERENCES):
        sys.exit(f"the workflow has {lines} lines and {references} references, not {LINES} and {REFERENCES}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "feature.yaml").write_text(WORKFLOW, "utf-8")
        (folder / ".yamllint").write_text(YAMLLINT, "utf-8")
        (folder / "pyproject.toml").write_text('[tool.pytest.ini_options]\ntestpaths = ["tests"]\n', "utf-8")
        environment = compiled(folder)
        check, yamllint, bare = alternate(
            asked.runs,
            ("gumpc check", command(BIN / "gumpc", "check", "feature.yaml", cwd=folder, environment=environment)),
            ("yamllint", command(BIN / "yamllint", "feature.yaml", cwd=folder, environment=environment)),
            ("python -c pass", command(sys.executable, "-c", "pass", cwd=folder, environment=environment)),
        )
        compared = ratio("gumpc check / yamllint", check, yamllint, target=TARGET)
        title = f"Check one workflow of {LINES} lines, {REFERENCES} references, whole process"
        publish(title, folder, (check, yamllint, bare), (compared,))
    return 0


if __name__ == "__main__":
    sys.exit(main())
