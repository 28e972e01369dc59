"""Runs or resumes a workflow in a process that kills itself right behind the n-th record that it writes to the ledger.

python -m tests.crash.dying N (start | resume)
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from gumpc.cli.asking import request, surroundings
from gumpc.cli.project import find_project
from runtime.events import Event
from runtime.runner import Watchers, resume, start
from runtime.runs import find_run
from runtime.state import RunState


def main(records: int, *, resumed: bool) -> int:
    """Go on until the ledger has grown by so many records, or to the end; the exit code."""
    written = 0

    def die(event: Event, state: RunState) -> None:
        nonlocal written
        written += 1
        if written == records:
            os.kill(os.getpid(), signal.SIGKILL)

    project = find_project(Path.cwd())
    around = surroundings(project)
    root = around.repository.root
    if resumed:
        return resume(find_run(root, "latest"), around, Watchers([die])).code
    asked = request(
        project,
        root,
        workflow="wf.yaml",
        spec="spec.md",
        workflow_option=None,
        sets=(),
        agent=None,
        from_step="",
        force=False,
        recheck=False,
        base=None,
        dirty=False,
        max_budget=None,
    )
    return start(asked, around, Watchers([die])).code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), resumed=sys.argv[2] == "resume"))
