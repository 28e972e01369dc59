"""What can stop a run from outside it: faults of the machine, the config or the repository, each with its remedy.

These are not failed attempts. A step that fails is an event; these end the command with the exit code that tells a
script what to do next.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command."""

    SUCCESS = 0
    FAILED = 1
    NOT_STARTED = 2
    PAUSED = 3
    DAMAGED = 4
    INTERRUPTED = 130
    TERMINATED = 143


class RunError(Exception):
    """Something that only a person can put right; `help` says how."""

    def __init__(self, message: str, *, help: str = "", code: ExitCode = ExitCode.NOT_STARTED) -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.code = code


class Terminated(BaseException):
    """SIGTERM arrived; like KeyboardInterrupt it passes everything that catches ordinary exceptions."""
