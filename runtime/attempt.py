"""One call of an agent: its process, its stream, its guards; what comes back is how it ended and what it spent.

The stream goes to a file first and is read from there, so that a call whose agent had ended can be read again after a
crash, by the same code, from the same bytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from runtime.agents.protocol import Adapter, AgentEvent, Launch, Outcome, StreamParser, Wrote
from runtime.clock import Clock
from runtime.guards import Guards, Trip
from runtime.process import Command, Exit, read_record, run

STREAM, ERRORS, RECORD, PROMPT = "stream.jsonl", "stderr.txt", "exit.json", "prompt.md"
MAX_STDERR = 64 * 1024


@dataclass(frozen=True, slots=True)
class CallReport:
    """How a call ended; `trip` is the limit that ended it, `first_write` seconds until the first file was written.

    `spoke` is false when not a byte of its stream is there, so that it can't have spent anything.
    """

    outcome: Outcome
    exit: Exit
    trip: Trip | None = None
    first_write: float | None = None
    spoke: bool = True


def call_agent(
    adapter: Adapter,
    launch: Launch,
    *,
    environment: dict[str, str],
    folder: Path,
    guards: Guards,
    clock: Clock,
    on_event: Callable[[AgentEvent, Guards], None],
) -> CallReport:
    """Run the agent to its end or to a limit; nothing of it is left running when this returns."""
    invocation = adapter.invocation(launch, environment)
    parser = adapter.parser(launch)
    began = clock.monotonic()
    first_write: list[float] = []

    def on_line(line: bytes) -> None:
        for event in parser.feed(line):
            if isinstance(event, Wrote) and not first_write:
                first_write.append(clock.monotonic() - began)
            guards.feed(event)
            on_event(event, guards)

    command = Command(
        argv=tuple(invocation.argv),
        directory=launch.directory,
        environment=invocation.environment,
        stdout=folder / STREAM,
        stderr=folder / ERRORS,
        record=folder / RECORD,
        stdin=invocation.stdin,
    )
    ended = run(command, on_line=on_line, stop=lambda: guards.tick(clock.monotonic() - began) is not None)
    return _report(parser, ended, folder, guards.trip, first_write[0] if first_write else None)


def recover_call(adapter: Adapter, launch: Launch, folder: Path, guards: Guards) -> CallReport:
    """The report of a call that an earlier process began, with `guards` fed as they were then.

    Where nobody saw how it ended it is `orphaned`, with what its stream tells until then.
    """
    ended = read_record(folder / RECORD) or Exit("orphaned", None, None, 0.0)
    parser = adapter.parser(launch)
    spoke = False
    with contextlib.suppress(FileNotFoundError), open(folder / STREAM, "rb") as stream:
        for line in stream:
            spoke = True
            for event in parser.feed(line.rstrip(b"\n")):
                guards.feed(event)
    return replace(_report(parser, ended, folder, guards.trip, None), spoke=spoke)


def forget_call(folder: Path) -> None:
    """Remove what an earlier call left in `folder`, which must not pass for the next one's."""
    for name in (RECORD, STREAM, ERRORS):
        (folder / name).unlink(missing_ok=True)


def _report(
    parser: StreamParser, ended: Exit, folder: Path, trip: Trip | None, first_write: float | None
) -> CallReport:
    stderr = _tail(folder / ERRORS)
    outcome = parser.outcome(exit_code=ended.code if ended.reason == "exited" else None, stderr=ended.message or stderr)
    return CallReport(outcome, ended, trip, first_write)


def _tail(path: Path) -> str:
    if not path.exists():
        return ""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - MAX_STDERR))
        return file.read().decode("utf-8", "replace")
