"""How commands speak: results on standard output, everything else on standard error, colour only for a person."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from gumpc.config_types import Config

NOT_STARTED = 2


def wants_color(stream: TextIO, config: Config | None = None) -> bool:
    """True for a terminal whose user has not asked for plain text."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty() and (config is None or config.display.color)


def say(text: str) -> None:
    """One thing for a person to know."""
    print(text, file=sys.stderr)  # noqa: T201  # this is the one place that prints to people


def fail(message: str, *, help: str = "", code: int = NOT_STARTED, started: bool = False) -> int:
    """Say what was wrong and what to do; gives the exit code back."""
    color = wants_color(sys.stderr)
    head = "\033[1;31merror\033[0m" if color else "error"
    say(f"{head}: {message}")
    if help:
        say(f" help: {help}")
    if code == NOT_STARTED and not started:
        say("(exit 2, nothing started)")
    return code
