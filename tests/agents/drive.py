"""Carries out a launch with the real CLI, start to end, and keeps what its parser made of it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runtime.agents.claude import ClaudeAdapter
from runtime.agents.protocol import AgentEvent, Failed, FailureKind, Launch, Outcome, ToolUsed, Wrote


@dataclass(frozen=True, slots=True)
class Call:
    events: Sequence[AgentEvent]
    outcome: Outcome

    @property
    def written(self) -> list[str]:
        return [event.path for event in self.events if isinstance(event, Wrote)]

    @property
    def used(self) -> list[str]:
        return [event.name for event in self.events if isinstance(event, ToolUsed)]

    @property
    def failures(self) -> list[tuple[FailureKind, bool]]:
        return [(event.kind, event.fatal) for event in self.events if isinstance(event, Failed)]


def drive_claude(launch: Launch, environment: Mapping[str, str], more: Sequence[str] = ()) -> Call:
    """Start `launch` in its directory with `more` arguments at the end, and wait for it."""
    adapter = ClaudeAdapter()
    start, parser = adapter.invocation(launch, environment), adapter.parser(launch)
    done = subprocess.run(
        [*start.argv, *more],
        env=start.environment,
        input=start.stdin,
        cwd=launch.directory,
        capture_output=True,
        start_new_session=True,
        timeout=120,
        check=False,
    )
    events = [event for line in done.stdout.split(b"\n") for event in parser.feed(line)]
    return Call(events, parser.outcome(exit_code=done.returncode, stderr=done.stderr.decode()))
