"""An adapter for any program that takes a prompt on standard input, as an `[agents.NAME]` table describes it.

The prompt never becomes an argument: Linux refuses one of 128 KiB or more, and every user of the machine can read it.
With `format = "text"` the program is a black box whose output is its answer and whose exit code is its verdict; with
`format = "jsonl"` it tells turns, tools, writes and usage in the lines of `runtime.agents.jsonl`.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Iterator, Mapping

from gumpc.agent_config import AgentConfig
from runtime.agents.jsonl import JsonlParser, failed_message
from runtime.agents.prices import PRICES, Price
from runtime.agents.protocol import AgentEvent, Capabilities, Invocation, Launch, Outcome, Said, StreamParser

_LONGEST_ANSWER = 1 << 20


class GenericAdapter:
    """The agent of one table."""

    def __init__(self, agent: AgentConfig, *, prices: Mapping[str, Price] = PRICES) -> None:
        self.name = agent.name
        self.capabilities = Capabilities(resume=bool(agent.resume), live_usage=agent.format == "jsonl")
        self._agent = agent
        self._prices = prices

    def find(self, environment: Mapping[str, str]) -> str | None:
        """The path of its program, or None when it is not installed."""
        return shutil.which(self._agent.command[0], path=environment.get("PATH", ""))

    def remedy(self) -> str:
        """One line that says how to install it."""
        return f"install `{self._agent.command[0]}`, or correct `command` in [agents.{self.name}] of the configuration"

    def invocation(self, launch: Launch, environment: Mapping[str, str]) -> Invocation:
        """The process that carries out `launch`; ValueError for a session that an agent without `resume` can't have."""
        return Invocation(self._argv(launch), self._environment(environment), launch.prompt.encode("utf-8", "replace"))

    def parser(self, launch: Launch) -> StreamParser:
        """A parser for one call of it."""
        return TextParser(launch) if self._agent.format == "text" else JsonlParser(launch, self._prices)

    def _argv(self, launch: Launch) -> tuple[str, ...]:
        model = launch.model or self._agent.model
        model_args = tuple(part.replace("{model}", model) for part in self._agent.model_args) if model else ()
        if launch.session_id is None:
            return (*self._agent.command, *model_args)
        if not self._agent.resume:
            raise ValueError(f"agent `{self.name}` has no `resume`: it cannot go on in a session")
        session = launch.session_id
        return (*(part.replace("{session_id}", session) for part in self._agent.resume), *model_args)

    def _environment(self, environment: Mapping[str, str]) -> Mapping[str, str]:
        kept = {name: value for name, value in environment.items() if name not in self._agent.unset_env}
        return {**kept, **dict(self._agent.env)}


class TextParser:
    """Takes standard output as the answer; of a flood, its end: that is where the answer is."""

    def __init__(self, launch: Launch) -> None:
        self._model = launch.model or ""
        self._lines: deque[bytes] = deque()
        self._size = 0

    def feed(self, line: bytes) -> Iterator[AgentEvent]:
        """The line as text, when it is not blank."""
        self._lines.append(line[-_LONGEST_ANSWER:])
        self._size += len(self._lines[-1]) + 1
        while self._size > _LONGEST_ANSWER and len(self._lines) > 1:
            self._size -= len(self._lines.popleft()) + 1
        if line.strip():
            yield Said(line.decode("utf-8", "replace"))

    def outcome(self, *, exit_code: int | None, stderr: str) -> Outcome:
        """Ended well with exit code 0; turns, tokens and cost of such an agent are not known."""
        text = b"\n".join(self._lines).decode("utf-8", "replace").strip()
        if exit_code is None or exit_code < 0:
            return Outcome("killed", "the agent was killed", text, model=self._model)
        if exit_code:
            return Outcome("agent_error", failed_message(exit_code, stderr or text), text, model=self._model)
        return Outcome(text=text, model=self._model)
