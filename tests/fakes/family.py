"""A command with awkward relatives: `family.py HEAD`, where HEAD says what the command itself does once they live.

The relatives: a child in the background that holds standard output, a double-forked grandchild in a session of its
own, one of these that ignores SIGTERM, and one that has stopped itself. HEAD is one of

    exit      end at once with code 3
    stay      sleep
    stubborn  ignore SIGTERM and sleep
    frozen    stop itself
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

FOREVER = 600


def sleep() -> None:
    time.sleep(FOREVER)


def stubborn() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    time.sleep(FOREVER)


def frozen() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(FOREVER)


def in_background(life: Callable[[], None]) -> None:
    if os.fork() == 0:
        life()
        os._exit(0)


def daemon(life: Callable[[], None]) -> None:
    """Leave the session and the family: no signal to a group or a session of ours reaches it."""
    middle = os.fork()
    if middle == 0:
        os.setsid()
        in_background(life)
        os._exit(0)
    os.waitpid(middle, 0)


def main(head: str) -> None:
    in_background(sleep)
    daemon(sleep)
    daemon(stubborn)
    daemon(frozen)
    time.sleep(0.05)  # for the two that change how they take signals
    print("ready", flush=True)
    if head == "exit":
        sys.exit(3)
    {"stay": sleep, "stubborn": stubborn, "frozen": frozen}[head]()


if __name__ == "__main__":
    main(sys.argv[1])
