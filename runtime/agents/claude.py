"""Claude Code (`claude`) as an agent: the command line and environment of a call, and the parser of its stream.

The prompt goes in on standard input: an argument is limited to 128 KiB and can be read by every user of the machine.

Write mode is `acceptEdits` with the shell allowed, not `bypassPermissions`: that one is refused to root (the usual
user inside a container) unless IS_SANDBOX claims a sandbox, and it would let the edit tools write outside the
directory. This way one command line holds for every user, files outside are denied, and so are the files that could
give an agent more rights in its next session (`.claude/settings.json`, `.mcp.json`, `.git/`).

Read-only mode offers no tool for edits; it keeps Write for the step's output file alone, under `.gump/out/`, and of
the shell what Claude Code knows to be harmless (`ls`, `git log`). Anything else is denied without a question. A
user's own settings can allow more, so the tree is compared afterwards all the same.

Partial messages are asked for: they alone tell the tokens put out while a call runs, so that a budget can end it and
a killed call has a cost, and they show a long answer as activity where else the stream would be silent for minutes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping

from runtime.agents.claude_failures import REMEDIES
from runtime.agents.claude_stream import ClaudeStream
from runtime.agents.prices import PRICES, Price
from runtime.agents.protocol import Capabilities, Invocation, Launch

_BASE = ("-p", "--output-format=stream-json", "--verbose", "--include-partial-messages")

_LEAVES_THE_CALL = "EnterWorktree,ExitWorktree,CronCreate,ScheduleWakeup"
"""Tools that would move the agent out of its directory, or have it act after the call."""

_WRITE = (
    "--permission-mode=acceptEdits",
    "--allowedTools=Bash,WebFetch,WebSearch",
    f"--disallowedTools={_LEAVES_THE_CALL}",
)

_READ_ONLY = (
    "--permission-mode=dontAsk",
    "--tools=Read,Grep,Glob,Bash,Write",
    "--allowedTools=Edit(.gump/out/**)",
)
"""A rule on Edit holds for every tool that writes files, Write among them."""

_UNSET = frozenset({"CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT"})
"""Marks of a session that this one would be nested in."""

_SET: Mapping[str, str] = {
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
}
"""Nothing that goes on beside the call: no update, no telemetry, no server or subagent left in the background."""


class ClaudeAdapter:
    """The adapter; `executable` is a name to look up in PATH or a path, `prices` are for estimates of cost."""

    name = "claude"
    capabilities = Capabilities(resume=True, read_only=True, turn_limit=True, budget_limit=True, live_usage=True)

    def __init__(self, executable: str = "claude", *, prices: Mapping[str, Price] = PRICES) -> None:
        self._executable = executable
        self._prices = prices

    def find(self, environment: Mapping[str, str]) -> str | None:
        """The executable's path by `environment`'s PATH, or None."""
        return shutil.which(self._executable, path=environment.get("PATH", ""))

    def remedy(self) -> str:
        """How to install it, in one line."""
        return REMEDIES["not_installed"]

    def invocation(self, launch: Launch, environment: Mapping[str, str]) -> Invocation:
        """The process for `launch`, with `environment` as far as it does not hinder the call."""
        argv = (self.find(environment) or self._executable, *_BASE, *_options(launch))
        kept = {name: value for name, value in environment.items() if name not in _UNSET}
        return Invocation(argv, {**kept, **_SET}, launch.prompt.encode("utf-8", "replace"))

    def parser(self, launch: Launch) -> ClaudeStream:
        """A parser for one call of `launch`."""
        return ClaudeStream(launch, self._prices)


def _options(launch: Launch) -> Iterator[str]:
    """Options as one word each, so that a value which begins with a dash stays a value."""
    yield from _READ_ONLY if launch.read_only else _WRITE
    if launch.model:
        yield f"--model={launch.model}"
    if launch.session_id:
        yield f"--resume={launch.session_id}"
        if launch.fork:
            yield "--fork-session"
    if launch.max_turns is not None:
        yield f"--max-turns={launch.max_turns}"
    if launch.max_budget is not None:
        yield f"--max-budget-usd={launch.max_budget:.6f}"
