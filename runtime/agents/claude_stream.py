"""Claude Code's stream, line by line, as the events of the agent protocol.

What the stream does that a reader would not guess, seen with version 2.1.329:

* One `assistant` event per content block, each with the message's usage as it was at the message's start. The tokens
  put out come with `message_delta`, when partial messages are on, and with the result. Hence the `Meter`.
* A subagent's messages have a `parent_tool_use_id`: they count as writes and cost, not as turns.
* A tool call is told before it is carried out, and may be denied. A file counts as written when its result says so.
* More than one `result` may come (work left in the background reports back after the first); the tokens of each are
  its own, the last one says how the call ended.
* `usage` leaves subagents and helper models out; `modelUsage` and `total_cost_usd` hold the whole session, with the
  calls before a resume. `model_usage_since_last_result` is this call, whole. Older versions lack it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from runtime.agents.claude_failures import api_failure, exit_failure, failed, result_failure
from runtime.agents.foreign import as_amount, as_count, as_json, as_list, as_map, as_text, json_object
from runtime.agents.meter import Meter
from runtime.agents.prices import Price
from runtime.agents.protocol import (
    AgentEvent,
    Failed,
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

_SYNTHETIC = "<synthetic>"
"""The model of messages that the CLI itself makes up, to show an error."""

_WRITTEN_PATH = {"Write": "file_path", "Edit": "file_path", "MultiEdit": "file_path", "NotebookEdit": "notebook_path"}


class ClaudeStream:
    """The parser of one call; `launch` is what was started, `prices` are for the estimate of what it costs."""

    def __init__(self, launch: Launch, prices: Mapping[str, Price]) -> None:
        self._launch = launch
        self._roots = [os.path.normpath(launch.directory)]
        self._meter = Meter(prices)
        self._seen: set[str] = set()
        self._writing: dict[str, str] = {}
        self._spoke = False
        self._session = SessionSeen("")
        self._turns = 0
        self._model = ""
        self._error = ""
        self._failure: Failed | None = None
        self._reset_at: float | None = None
        self._finished: Finished | None = None

    def feed(self, line: bytes) -> tuple[AgentEvent, ...]:
        """The events of one line, whatever its bytes; a line that is no event gives none."""
        event = json_object(line)
        kind = as_text(event.get("type"))
        if not kind or self._seen_before(event, kind, line):
            return ()
        self._spoke = True
        match kind:
            case "assistant":
                return tuple(self._assistant(event))
            case "user":
                return tuple(self._tool_results(event))
            case "stream_event":
                return tuple(self._partial(event))
            case "system":
                return tuple(self._system(event))
            case "rate_limit_event":
                return self._window(as_map(event.get("rate_limit_info")))
            case "result":
                return tuple(self._result(event))
        return ()

    def outcome(self, *, exit_code: int | None, stderr: str) -> Outcome:
        """How the call ended: by our own kill, else by its result, an error in the stream, the process's end."""
        failure = self._how_it_failed(exit_code, stderr)
        usage, cost = self._spent()
        return Outcome(
            failure=failure.kind if failure else None,
            message=failure.message if failure else "",
            text=self._finished.text if self._finished else "",
            structured=self._finished.structured if self._finished else None,
            session_id=self._session.session_id,
            model=self._model or self._session.model,
            turns=self._turns,
            usage=usage,
            cost=cost,
            reset_at=failure.reset_at if failure else None,
        )

    def _how_it_failed(self, exit_code: int | None, stderr: str) -> Failed | None:
        if exit_code is None or exit_code < 0:
            return failed("killed", "Claude Code was stopped before it had finished")
        if self._failure:
            return self._failure
        if self._finished is None:
            return exit_failure(exit_code, stderr, spoke=self._spoke)
        if exit_code:
            told = f"Claude Code reported success and then ended with exit code {exit_code}"
            return failed("killed" if exit_code > 128 else "agent_error", told)
        return None

    def _spent(self) -> tuple[Usage, float | None]:
        """This call's usage and cost: the CLI's own figures, unless messages were seen that it left out."""
        reported, told = self._finished, self._meter.usage
        if reported is None:
            return told, self._meter.cost if told.total or self._spoke else 0.0
        if reported.usage.total >= told.total:
            return reported.usage, reported.cost
        known = [each for each in (reported.cost, self._meter.cost) if each is not None]
        return told, max(known, default=None)

    def _seen_before(self, event: Mapping[str, object], kind: str, line: bytes) -> bool:
        """True for a line that came twice; partial messages are idempotent, and too many to remember."""
        if kind == "stream_event":
            return False
        key = as_text(event.get("uuid")) or (str(hash(line)) if kind == "result" else "")
        if not key or key not in self._seen:
            self._seen.add(key)
            return False
        return True

    def _system(self, event: Mapping[str, object]) -> Iterator[AgentEvent]:
        match event.get("subtype"):
            case "init":
                yield from self._init(event)
            case "api_retry":
                error, status = as_text(event.get("error")), as_count(event.get("error_status"))
                attempts = f"attempt {as_count(event.get('attempt'))} of {as_count(event.get('max_retries'))}"
                kind = api_failure(error, status, "") if error != "unknown" else "network"
                yield Failed(kind, f"The provider did not answer ({error}); the CLI tries again, {attempts}.")
            case "permission_denied":
                tool, reason = as_text(event.get("tool_name")), as_text(event.get("message"))
                yield Failed("agent_error", f"{tool} was denied: {reason}")

    def _init(self, event: Mapping[str, object]) -> Iterator[AgentEvent]:
        directories = (self._launch.directory, as_text(event.get("cwd")))
        self._roots = [os.path.normpath(directory) for directory in directories if directory]
        version = as_text(event.get("claude_code_version"))
        seen = SessionSeen(as_text(event.get("session_id")), as_text(event.get("model")), version)
        if seen != self._session:
            self._session = seen
            yield seen

    def _assistant(self, event: Mapping[str, object]) -> Iterator[AgentEvent]:
        message = as_map(event.get("message"))
        in_main_thread = event.get("parent_tool_use_id") is None
        if as_text(message.get("model")) == _SYNTHETIC:
            if in_main_thread:
                self._note_error(event, message)
            return
        yield from self._measured(message, in_main_thread=in_main_thread)
        for block in map(as_map, as_list(message.get("content"))):
            yield from self._block(block, in_main_thread=in_main_thread)

    def _note_error(self, event: Mapping[str, object], message: Mapping[str, object]) -> None:
        """Keep what a made-up message shows: how the call failed, unless a result follows, which knows better."""
        self._error = as_text(event.get("error"))
        if self._error:
            text = " ".join(as_text(as_map(block).get("text")) for block in as_list(message.get("content")))
            kind = api_failure(self._error, as_count(event.get("api_error_status")), text)
            self._failure = failed(kind, text, self._reset_at)

    def _measured(self, message: Mapping[str, object], *, in_main_thread: bool) -> Iterator[AgentEvent]:
        """A message's start or a further part of it: a turn, if it is new, and what has been spent by now."""
        name, model = as_text(message.get("id")), as_text(message.get("model"))
        if not name or not model:
            return
        before = len(self._meter)
        changed = self._meter.tell(name, model, _usage(as_map(message.get("usage"))))
        if in_main_thread and len(self._meter) > before:
            self._turns += 1
            self._model = model
            yield Turn()
        if changed:
            yield Spent(self._meter.usage, self._meter.cost)

    def _partial(self, event: Mapping[str, object]) -> Iterator[AgentEvent]:
        part = as_map(event.get("event"))
        if part.get("type") == "message_start":
            in_main_thread = event.get("parent_tool_use_id") is None
            yield from self._measured(as_map(part.get("message")), in_main_thread=in_main_thread)
        elif part.get("type") == "message_delta":
            output = as_count(as_map(part.get("usage")).get("output_tokens"))
            if self._meter.tell_output(as_text(event.get("api_message_id")), output):
                yield Spent(self._meter.usage, self._meter.cost)

    def _block(self, block: Mapping[str, object], *, in_main_thread: bool) -> Iterator[AgentEvent]:
        if block.get("type") == "text" and in_main_thread:
            yield Said(as_text(block.get("text")))
        elif block.get("type") == "tool_use":
            name, given = as_text(block.get("name")), as_map(block.get("input"))
            path = self._relative(as_text(given.get(_WRITTEN_PATH.get(name, ""))))
            if path:
                self._writing[as_text(block.get("id"))] = path
            yield ToolUsed(name, as_text(given.get("command")) if name == "Bash" else "", path)

    def _tool_results(self, event: Mapping[str, object]) -> Iterator[AgentEvent]:
        for block in map(as_map, as_list(as_map(event.get("message")).get("content"))):
            path = self._writing.pop(as_text(block.get("tool_use_id")), "")
            if path and block.get("is_error") is not True:
                yield Wrote(path)

    def _relative(self, path: str) -> str:
        """`path` seen from the agent's directory, absolute when it is outside of it."""
        if not path:
            return ""
        absolute = os.path.normpath(os.path.join(self._launch.directory, path))
        for root in self._roots:
            if absolute.startswith(root + "/"):
                return absolute[len(root) + 1 :]
        return absolute

    def _window(self, limit: Mapping[str, object]) -> tuple[AgentEvent, ...]:
        """The state of a subscription's usage window: spent ("rejected") or not."""
        self._reset_at = as_amount(limit.get("resetsAt")) if limit.get("status") == "rejected" else None
        if limit.get("status") != "rejected":
            return ()
        return (Failed("quota", "The subscription's usage limit is reached.", reset_at=self._reset_at),)

    def _result(self, event: Mapping[str, object]) -> Iterator[AgentEvent]:
        self._failure = result_failure(event, self._error, self._reset_at)
        if self._failure:
            yield self._failure
        if not self._session.session_id:
            self._session = SessionSeen(as_text(event.get("session_id")))
        usage, cost = self._reported(event, self._finished or Finished("", Usage(), 0.0))
        self._finished = Finished(as_text(event.get("result")), usage, cost, as_json(event.get("structured_output")))
        yield self._finished

    def _reported(self, event: Mapping[str, object], before: Finished) -> tuple[Usage, float | None]:
        """This call's usage and cost, as the CLI tells them; `before` is the result before this one."""
        models = event.get("model_usage_since_last_result")
        if isinstance(models, dict):
            spent = [as_map(each) for each in models.values()]
            costs = [before.cost, *(as_amount(each.get("costUSD")) for each in spent)]
            known = [each for each in costs if each is not None]
            cost = sum(known) if len(known) == len(costs) else None
            return sum(map(_model_usage, spent), before.usage), cost
        usage = before.usage + _usage(as_map(event.get("usage")))
        resumed = self._launch.session_id is not None and usage.total
        return usage, self._meter.cost if resumed else as_amount(event.get("total_cost_usd"))


def _usage(told: Mapping[str, object]) -> Usage:
    return Usage(
        input=as_count(told.get("input_tokens")),
        output=as_count(told.get("output_tokens")),
        cache_read=as_count(told.get("cache_read_input_tokens")),
        cache_write=as_count(told.get("cache_creation_input_tokens")),
    )


def _model_usage(told: Mapping[str, object]) -> Usage:
    return Usage(
        input=as_count(told.get("inputTokens")),
        output=as_count(told.get("outputTokens")),
        cache_read=as_count(told.get("cacheReadInputTokens")),
        cache_write=as_count(told.get("cacheCreationInputTokens")),
    )
