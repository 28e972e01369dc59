"""Replays a sample run into the display, with its delays, for looking at it: `python -m tests.fakes.replay escalated`.

`--speed 20` makes it twenty times as fast, `--plain` shows it as into a pipe, `--raise-after SECONDS` raises in the
middle of it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import TextIO

from runtime.guards import Guards, RunLimits
from runtime.report.live import RunDisplay
from runtime.report.summary import summary_text
from tests.fakes.sample_runs import RUNS, Heard, Tape, plan_for, plans_along


def play(
    tape: Tape,
    stream: TextIO,
    *,
    in_place: bool,
    color: bool,
    pause: Callable[[float], None],
    clock: Callable[[], float],
) -> None:
    """Show a tape; `pause` is told the seconds before each event."""
    guards: dict[str, Guards] = {}
    with RunDisplay(stream, in_place=in_place, color=color, count_files=lambda one, other: 4, clock=clock) as display:
        at, tasks = tape.moments[0][0], None
        for at_ms, item, state, plan in plans_along(tape):
            pause((at_ms - at) / 1000)
            at = at_ms
            if tasks != plan.tasks:
                tasks = plan.tasks
                display.on_plan(plan)
            if isinstance(item, Heard):
                node = plan.by_id[item.step]
                watching = guards.setdefault(f"{item.step} {len(state.peek(item.step).attempts)}", _guards(node.step))
                watching.feed(item.event)
                display.observe(node, item.event, watching)
            else:
                display(item, state)


def _guards(step: object) -> Guards:
    return Guards(step.guard, RunLimits())  # type: ignore[attr-defined]


def main() -> None:
    """Show one sample run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=RUNS)
    parser.add_argument("--speed", type=float, default=10.0)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--raise-after", type=float)
    given = parser.parse_args()
    began = time.monotonic()

    def pause(seconds: float) -> None:
        if given.raise_after and time.monotonic() - began > given.raise_after:
            raise RuntimeError("as asked")
        time.sleep(seconds / given.speed)

    tape = RUNS[given.name]()
    play(tape, sys.stderr, in_place=not given.plain, color=not given.plain, pause=pause, clock=time.monotonic)
    said = summary_text(plan_for(given.name), tape.state, files=7, added=212, removed=18, branch="main", width=80)
    print(said, end="", file=sys.stderr)


if __name__ == "__main__":
    main()
