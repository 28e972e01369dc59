"""What the runtime knows of an agent: how to launch it, what its stream says, how it ended; never which CLI it is.

An adapter turns a `Launch` into an `Invocation` (a command line, an environment, the bytes for standard input) and
the CLI's output, line by line, into the closed set of events below. Guards, metrics, the ledger and the display read
these events only. An agent's result is its stream *and* the tree: exit code 0 with an error inside is a failure, and
a stream without its final event is one too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

FailureKind = Literal[
    "not_installed",
    "auth",
    "model_not_found",
    "rate_limit",
    "quota",
    "overloaded",
    "context_overflow",
    "session_not_found",
    "max_turns",
    "max_budget",
    "network",
    "cli_usage",
    "agent_error",
    "protocol",
    "killed",
]


@dataclass(frozen=True, slots=True)
class Launch:
    """One call of an agent. `session_id` is the session to go on in, or None for a new one.

    With `fork`, what is said from here on goes to a copy of that session where the CLI can make one, and the session
    itself stays as it is: another step may go on in it too, or this one again. `directory` is the agent's working
    directory, absolute. `max_turns` and `max_budget` are native limits to pass on where the CLI has them.
    """

    prompt: str
    directory: str
    model: str | None
    session_id: str | None = None
    fork: bool = False
    read_only: bool = False
    max_turns: int | None = None
    max_budget: float | None = None


@dataclass(frozen=True, slots=True)
class Invocation:
    """What to start: an argument vector, the whole environment, and the bytes for standard input."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    stdin: bytes


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens; `input` is what was neither read from nor written to the cache."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
        )

    @property
    def total(self) -> int:
        """All tokens, whatever they cost."""
        return self.input + self.output + self.cache_read + self.cache_write


@dataclass(frozen=True, slots=True)
class SessionSeen:
    """The CLI told its session's id, and the model that it resolved to."""

    session_id: str
    model: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """A model response began in the main thread."""


@dataclass(frozen=True, slots=True)
class Said:
    """Text from the model."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolUsed:
    """A tool call; `command` is the shell command, if it is one, `path` the file that it asks to write."""

    name: str
    command: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Wrote:
    """The agent wrote a file, as far as its CLI tells; relative to its directory when inside it."""

    path: str


@dataclass(frozen=True, slots=True)
class Spent:
    """Usage so far in this call, cumulative; `cost` in USD when it is known or can be estimated live."""

    usage: Usage
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Something went wrong; the call may still go on (a provider's retry)."""

    kind: FailureKind
    message: str
    fatal: bool = False
    reset_at: float | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The CLI's terminal event: the final text, structured output if any, and this call's usage and cost."""

    text: str
    usage: Usage
    cost: float | None
    structured: object | None = None


AgentEvent = SessionSeen | Turn | Said | ToolUsed | Wrote | Spent | Failed | Finished


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended. `failure` is None for a call that ended well; `message` says what went wrong, with a remedy.

    `cost` is None when no price is known: never 0 for unknown. `reset_at` is when the provider will serve again
    (seconds since 1970), if it said so.
    """

    failure: FailureKind | None = None
    message: str = ""
    text: str = ""
    structured: object | None = None
    session_id: str = ""
    model: str = ""
    turns: int = 0
    usage: Usage = field(default_factory=Usage)
    cost: float | None = None
    reset_at: float | None = None


class StreamParser(Protocol):
    """Turns one call's output into events; made anew for each call."""

    def feed(self, line: bytes) -> Iterable[AgentEvent]:
        """Events of one line of standard output, without its line end. Never raises, whatever the bytes are."""
        ...

    def outcome(self, *, exit_code: int | None, stderr: str) -> Outcome:
        """How the call ended, once the process has; `exit_code` is None (or negative) when it was killed."""
        ...


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an agent's CLI can do."""

    resume: bool = False
    read_only: bool = False
    turn_limit: bool = False
    budget_limit: bool = False
    live_usage: bool = False


class Adapter(Protocol):
    """One agent CLI."""

    name: str
    capabilities: Capabilities

    def find(self, environment: Mapping[str, str]) -> str | None:
        """The path of its executable, or None when it is not installed."""
        ...

    def remedy(self) -> str:
        """One line that says how to install it."""
        ...

    def invocation(self, launch: Launch, environment: Mapping[str, str]) -> Invocation:
        """The process that carries out `launch`."""
        ...

    def parser(self, launch: Launch) -> StreamParser:
        """A parser for one call of it."""
        ...
