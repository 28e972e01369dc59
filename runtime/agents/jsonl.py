"""Our own line protocol for agents: JSON objects, one a line, that say what the closed set of events says.

It is what the offline agent prints, and what anyone's agent can print who writes `format = "jsonl"`. Each object has a
`type`; keys that are not listed are ignored, and so are types that are not, so that a newer agent still works:

    session  id, model?, version?                 once, as early as possible
    turn                                          a model response begins
    text     text                                 text from the model
    tool     name, command?                       a tool call; `command` if it is a shell command
    write    path                                 a file is being written or deleted
    usage    input, output, cache_read?, cache_write?, cost?        so far in this call, not since the last one
    error    kind, message, fatal?, reset_at?     `kind` as in `protocol.FailureKind`
    result   text?, structured?                   the last line, and required: a stream without it has failed

Tokens are whole numbers, `input` those that no cache was involved in; `cost` is in USD, left out when not known;
`reset_at` is in seconds since 1970.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import get_args

from runtime.agents.foreign import as_amount, as_count, as_json, as_text, json_object
from runtime.agents.prices import Price, cost
from runtime.agents.protocol import (
    AgentEvent,
    Failed,
    FailureKind,
    Finished,
    Launch,
    Outcome,
    Said,
    SessionSeen,
    Spent,
    ToolUsed,
    Turn,
    Usage,
    Wrote,
)

_KINDS: Mapping[str, FailureKind] = {kind: kind for kind in get_args(FailureKind)}
# A session's id comes back as an argument of a command line, perhaps one of a shell.
_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}", re.ASCII)
_SHOWN = 2000


class JsonlParser:
    """Reads one call's lines; `prices` are for a stream that tells tokens and no cost."""

    def __init__(self, launch: Launch, prices: Mapping[str, Price]) -> None:
        self._prices = prices
        self._session = launch.session_id or ""
        self._model = launch.model or ""
        self._turns = 0
        self._usage = Usage()
        self._cost: float | None = None
        self._failure: Failed | None = None
        self._finished: Finished | None = None
        self._stray = ""

    def feed(self, line: bytes) -> Iterator[AgentEvent]:
        """The event of one line; none for a line that is not of this protocol."""
        event = self._event(json_object(line))
        if event is None:
            self._stray = self._stray or line[:200].decode("utf-8", "replace").strip()
            return
        self._note(event)
        yield event

    def outcome(self, *, exit_code: int | None, stderr: str) -> Outcome:
        """Ended well only with a result, exit code 0, and no fatal error."""
        failure, message = self._verdict(exit_code, stderr)
        return Outcome(
            failure=failure,
            message=message,
            text=self._finished.text if self._finished else "",
            structured=self._finished.structured if self._finished else None,
            session_id=self._session,
            model=self._model,
            turns=self._turns,
            usage=self._usage,
            cost=self._cost,
        )

    def _event(self, told: Mapping[str, object]) -> AgentEvent | None:
        match told.get("type"):
            case "session":
                return self._session_seen(told)
            case "turn":
                return Turn()
            case "text":
                return Said(as_text(told.get("text")))
            case "tool":
                return ToolUsed(as_text(told.get("name")), as_text(told.get("command")))
            case "write":
                return Wrote(as_text(told.get("path")))
            case "usage":
                return self._spent(told)
            case "error":
                return _failed(told)
            case "result":
                return Finished(as_text(told.get("text")), self._usage, self._cost, as_json(told.get("structured")))
        return None

    def _session_seen(self, told: Mapping[str, object]) -> SessionSeen | None:
        session = as_text(told.get("id"))
        if not _SESSION.fullmatch(session):
            return None
        return SessionSeen(session, as_text(told.get("model")), as_text(told.get("version")))

    def _spent(self, told: Mapping[str, object]) -> Spent:
        usage = Usage(*(as_count(told.get(key)) for key in ("input", "output", "cache_read", "cache_write")))
        known = as_amount(told.get("cost"))
        return Spent(usage, cost(self._model, usage, self._prices) if known is None else known)

    def _note(self, event: AgentEvent) -> None:
        match event:
            case SessionSeen():
                self._session = event.session_id
                self._model = event.model or self._model
            case Turn():
                self._turns += 1
            case Spent():
                self._usage, self._cost = event.usage, event.cost
            case Failed():
                if self._failure is None or not self._failure.fatal:
                    self._failure = event
            case Finished():
                self._finished = event

    def _verdict(self, exit_code: int | None, stderr: str) -> tuple[FailureKind | None, str]:
        if exit_code is None or exit_code < 0:
            return "killed", "the agent was killed"
        failure = self._failure
        if failure is not None and (failure.fatal or exit_code or self._finished is None):
            return failure.kind, failure.message
        if exit_code:
            return "agent_error", failed_message(exit_code, stderr)
        if self._finished is None:
            return "protocol", self._unfinished()
        return None, ""

    def _unfinished(self) -> str:
        stray = f"; its first other line: {self._stray}" if self._stray else ""
        return f"the agent ended without a `result` line{stray}"


def failed_message(exit_code: int, stderr: str) -> str:
    """What to tell of a program that exited with `exit_code` and left `stderr`."""
    told = stderr.strip()[-_SHOWN:]
    return (
        f"the agent exited with {exit_code}: {told}" if told else f"the agent exited with {exit_code} and said nothing"
    )


def _failed(told: Mapping[str, object]) -> Failed:
    kind = as_text(told.get("kind"))
    message = as_text(told.get("message")) or kind
    return Failed(
        _KINDS.get(kind, "agent_error"),
        message[:_SHOWN],
        fatal=told.get("fatal") is True,
        reset_at=as_amount(told.get("reset_at")),
    )
