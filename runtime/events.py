"""Events: everything that happens in a run, each a small fact that is on disk before anything relies on it.

Names and fields are those of Gump's ledger where it has them, so that scripts written for its `manifest.ndjson` go on
working; the rest is ours. The state, the report and the display are made from these and from nothing else. A field may
be added to an event, never given a new meaning: old ledgers open for ever, so a reader ignores what it does not know.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from gumpc.tasks import Task
from runtime.agents.protocol import Usage
from runtime.gates.verdict import Verdict


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run begins; trees and commits are git ids, limits are USD, seconds and tokens."""

    run: str
    workflow: str
    spec: str
    commit: str
    branch: str
    tree: str
    max_budget: float | None = None
    max_timeout: float | None = None
    max_tokens: int | None = None
    from_step: str = ""
    forced: bool = False
    version: str = ""
    type: Literal["run_started"] = "run_started"


@dataclass(frozen=True, slots=True)
class RunResumed:
    """Another process goes on with the run."""

    run: str
    previous_status: str
    type: Literal["run_resumed"] = "run_resumed"


@dataclass(frozen=True, slots=True)
class StepSkipped:
    """A stored result stands in for the step; `run` produced it, and not running saved `saved_usd` and `saved_ms`."""

    step: str
    step_type: str
    agent: str
    key: str
    run: str
    tree_in: str
    tree: str
    values: Mapping[str, str]
    gates: tuple[Verdict, ...] = ()
    saved_usd: float | None = None
    saved_ms: int = 0
    session_id: str = ""
    tasks: tuple[Task, ...] | None = None
    type: Literal["step_skipped"] = "step_skipped"


@dataclass(frozen=True, slots=True)
class StepStarted:
    """One attempt of a step begins from `tree`; `reason` says why the step runs at all.

    `signature` is a digest of how the attempt is set up, apart from what the failures before it say.
    """

    step: str
    agent: str
    step_type: str
    attempt: int
    session_mode: str
    tree: str
    tree_in: str
    key: str = ""
    item: str = ""
    reason: str = ""
    signature: str = ""
    type: Literal["step_started"] = "step_started"


@dataclass(frozen=True, slots=True)
class AgentLaunched:
    """The agent's process is about to start; its prompt is in `artifacts`."""

    step: str
    attempt: int
    agent: str
    cli: str
    worktree: str
    session_id: str
    prompt_hash: str
    artifacts: str
    type: Literal["agent_launched"] = "agent_launched"


@dataclass(frozen=True, slots=True)
class TurnCompleted:
    """A model response came to its end; usage is of this call so far."""

    step: str
    attempt: int
    turn: int
    usage: Usage
    cost_usd: float | None = None
    type: Literal["turn_completed"] = "turn_completed"


@dataclass(frozen=True, slots=True)
class AgentCompleted:
    """The agent's process ended by itself; `tree` is what it left. `failure` is empty when the call went well."""

    step: str
    attempt: int
    tree: str
    exit_code: int | None
    duration_ms: int
    usage: Usage
    cost_usd: float | None
    turns: int
    session_id: str
    model: str = ""
    failure: str = ""
    message: str = ""
    text: str = ""
    first_write_ms: int | None = None
    is_error: bool = False
    values: Mapping[str, str] = field(default_factory=dict)
    type: Literal["agent_completed"] = "agent_completed"


@dataclass(frozen=True, slots=True)
class AgentKilled:
    """We ended the agent's process, or found it dead with the runtime; what it spent counts all the same.

    `in_flight` means that the attempt is not over: its call is made again. `guard` is the limit that was passed.
    """

    step: str
    attempt: int
    reason: str
    duration_ms: int
    usage: Usage
    cost_usd: float | None
    turns_partial: int
    session_id: str = ""
    in_flight: bool = False
    guard: str = ""
    type: Literal["agent_killed"] = "agent_killed"


@dataclass(frozen=True, slots=True)
class GuardTriggered:
    """A live limit on the agent was passed."""

    step: str
    attempt: int
    guard: str
    reason: str
    type: Literal["guard_triggered"] = "guard_triggered"


@dataclass(frozen=True, slots=True)
class GateStarted:
    """The gates of an attempt are about to run."""

    step: str
    attempt: int
    checks: tuple[str, ...]
    type: Literal["gate_started"] = "gate_started"


@dataclass(frozen=True, slots=True)
class GatePassed:
    """Every gate of the attempt passed."""

    step: str
    attempt: int
    gates: tuple[Verdict, ...]
    type: Literal["gate_passed"] = "gate_passed"


@dataclass(frozen=True, slots=True)
class GateFailed:
    """At least one gate of the attempt failed; `reason` is the first line to show."""

    step: str
    attempt: int
    gates: tuple[Verdict, ...]
    reason: str
    type: Literal["gate_failed"] = "gate_failed"


@dataclass(frozen=True, slots=True)
class RetryTriggered:
    """Another attempt follows; `overrides` are those in force for it."""

    step: str
    attempt: int
    reason: str
    overrides: Mapping[str, str] = field(default_factory=dict)
    type: Literal["retry_triggered"] = "retry_triggered"


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """The step is out of attempts."""

    step: str
    scope: str
    reason: str
    total_attempts: int
    type: Literal["circuit_breaker"] = "circuit_breaker"


@dataclass(frozen=True, slots=True)
class BlastRadiusWarning:
    """The agent changed files outside the task's, and the split says to warn only."""

    step: str
    violators: tuple[str, ...]
    allowed: tuple[str, ...]
    type: Literal["blast_radius_warning"] = "blast_radius_warning"


@dataclass(frozen=True, slots=True)
class StepWarned:
    """Something a person should know: a context file left out, a gate skipped, a damaged cache entry."""

    step: str
    message: str
    type: Literal["step_warned"] = "step_warned"


@dataclass(frozen=True, slots=True)
class SessionLost:
    """The agent's CLI does not know the session any more, so a new one is begun."""

    step: str
    attempt: int
    session_id: str
    type: Literal["session_lost"] = "session_lost"


@dataclass(frozen=True, slots=True)
class StateUpdated:
    """Values of the step's path in the state; a split's also hold its tasks."""

    step: str
    values: Mapping[str, str]
    tasks: tuple[Task, ...] | None = None
    type: Literal["state_updated"] = "state_updated"


@dataclass(frozen=True, slots=True)
class StepCompleted:
    """The step is over; `status` is `pass` or `fatal`, `tree` what it hands on, `commit` a snapshot of that."""

    step: str
    status: str
    step_type: str
    duration_ms: int
    tree: str
    commit: str = ""
    attempt: int = 0
    type: Literal["step_completed"] = "step_completed"


@dataclass(frozen=True, slots=True)
class BudgetExceeded:
    """A limit of the whole run was reached."""

    step: str
    scope: str
    limit: float
    spent: float
    type: Literal["budget_exceeded"] = "budget_exceeded"


@dataclass(frozen=True, slots=True)
class RunPaused:
    """The run stopped and can be resumed: `interrupted`, `auth`, `quota`, …"""

    run: str
    reason: str
    message: str = ""
    step: str = ""
    type: Literal["run_paused"] = "run_paused"


@dataclass(frozen=True, slots=True)
class LedgerRepaired:
    """A torn last line was set aside when the ledger was opened."""

    line: int
    size: int
    aside: str
    type: Literal["ledger_repaired"] = "ledger_repaired"


@dataclass(frozen=True, slots=True)
class RunCompleted:
    """The run is over; `status` is `passed` or `failed`."""

    run: str
    status: str
    duration_ms: int
    total_cost_usd: float | None
    tree: str
    commit: str = ""
    type: Literal["run_completed"] = "run_completed"


Event = (
    RunStarted
    | RunResumed
    | StepSkipped
    | StepStarted
    | AgentLaunched
    | TurnCompleted
    | AgentCompleted
    | AgentKilled
    | GuardTriggered
    | GateStarted
    | GatePassed
    | GateFailed
    | RetryTriggered
    | CircuitBreaker
    | BlastRadiusWarning
    | StepWarned
    | SessionLost
    | StateUpdated
    | StepCompleted
    | BudgetExceeded
    | RunPaused
    | LedgerRepaired
    | RunCompleted
)


@cache
def _adapter() -> TypeAdapter[Event]:
    return TypeAdapter(Annotated[Event, Field(discriminator="type")])


@cache
def _known() -> frozenset[str]:
    return frozenset(str(kind.__dataclass_fields__["type"].default) for kind in Event.__args__)


def encode(event: Event) -> dict[str, object]:
    """The event's fields as plain JSON values, without its type."""
    fields = dataclasses.asdict(event)
    del fields["type"]
    return fields


def decode(kind: str, fields: Mapping[str, object]) -> Event | None:
    """The event of a record; None for a type that this version does not know. Raises ValueError for bad fields."""
    if kind not in _known():
        return None
    return _adapter().validate_python({**fields, "type": kind})
