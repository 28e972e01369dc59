"""The intermediate representation: a workflow with every name resolved and every default filled in.

Nothing here can say "unknown name" or "not given": the resolver reported those. Both editions end here, and nothing
after it knows which edition a step came from. A called workflow is held whole inside its call, so a plan needs no
other file. Every class is a frozen dataclass of tuples, strings and numbers; those that stand in a union carry a
`kind`, so that the JSON form reads back unambiguously.

Paths are tuples of names from the workflow's root. Below a split one segment stands for the task: `EACH` in a path
means the task at hand, `ALL` means every task (a fan-in), any other segment there names one task.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gumpc.source import Span

Path = tuple[str, ...]
EACH = "@"
ALL = "*"


@dataclass(frozen=True, slots=True)
class InputTarget:
    """An input of the workflow; `spec` is the spec file's text."""

    name: str
    kind: Literal["input"] = "input"


@dataclass(frozen=True, slots=True)
class TaskTarget:
    """A field of the task of the split at `split`: `name`, `description` or `files`."""

    split: Path
    field: str
    kind: Literal["task"] = "task"


@dataclass(frozen=True, slots=True)
class StepTarget:
    """A field that another step has written; `path` may hold `EACH` or `ALL`."""

    path: Path
    field: str
    kind: Literal["step"] = "step"


@dataclass(frozen=True, slots=True)
class AttemptTarget:
    """A value of the step's own attempts: `error`, `diff`, `output`, `attempt`, `gate.NAME…`, `prev.…`.

    In a gate's input it is the attempt being judged; in a prompt or a retry entry, the attempt that failed.
    """

    name: str
    kind: Literal["attempt"] = "attempt"


@dataclass(frozen=True, slots=True)
class RunTarget:
    """A value of the run so far: `diff` and `output` in a gate step, `cost` and the like in edition 3."""

    name: str
    kind: Literal["run"] = "run"


Target = InputTarget | TaskTarget | StepTarget | AttemptTarget | RunTarget


@dataclass(frozen=True, slots=True)
class Text:
    """Literal text of a template."""

    text: str
    kind: Literal["text"] = "text"


@dataclass(frozen=True, slots=True)
class Reference:
    """A resolved reference; `written` is how the file spells it."""

    target: Target
    written: str
    span: Span
    kind: Literal["reference"] = "reference"


@dataclass(frozen=True, slots=True)
class Template:
    """Text with references, in order."""

    parts: tuple[Text | Reference, ...]
    span: Span

    @property
    def references(self) -> tuple[Reference, ...]:
        """The references alone, in order."""
        return tuple(p for p in self.parts if isinstance(p, Reference))


@dataclass(frozen=True, slots=True)
class Script:
    """A shell command in which each reference has become `${GUMPC_1}`, `${GUMPC_2}`, …, quoted for the shell.

    The values go in through the environment, so text that an agent wrote can never become code.
    """

    text: str
    values: tuple[Reference, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class FileContext:
    """A file of the tree that is put before the agent."""

    path: Template
    required: bool
    span: Span
    kind: Literal["file"] = "file"


@dataclass(frozen=True, slots=True)
class CommandContext:
    """A command's output that is put before the agent."""

    script: Script
    required: bool
    span: Span
    kind: Literal["bash"] = "bash"


ContextSource = FileContext | CommandContext


@dataclass(frozen=True, slots=True)
class Session:
    """A new session, or the one in which `source` ended."""

    mode: Literal["new", "from"]
    source: Path | None = None


@dataclass(frozen=True, slots=True)
class Guard:
    """Live limits on one attempt; `max_time` in seconds, `max_budget` in USD."""

    max_turns: int | None = None
    max_budget: float | None = None
    max_tokens: int | None = None
    max_time: float | None = None
    no_write: bool = False


@dataclass(frozen=True, slots=True)
class Binding:
    """The value that a call gives to one input of its callee."""

    name: str
    value: Template


@dataclass(frozen=True, slots=True)
class Invocation:
    """A called workflow and what it is given."""

    workflow: Workflow
    inputs: tuple[Binding, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Gate:
    """One check. `script` is of a bash gate, `globs` of touched and untouched, `threshold` of coverage."""

    kind: str
    name: str
    span: Span
    script: Script | None = None
    globs: tuple[str, ...] = ()
    threshold: float | None = None
    call: Invocation | None = None
    cache: bool = True


@dataclass(frozen=True, slots=True)
class RetryEntry:
    """When `condition` holds, the overrides that are given apply from that attempt on.

    `condition` is `attempt` (from attempt `count` on), `not` (gate `gate` failed), `on` (failure of kind `gate`), or
    `validate` (`call` says true).
    """

    condition: Literal["attempt", "not", "on", "validate"]
    span: Span
    count: int = 0
    gate: str = ""
    call: Invocation | None = None
    agent: Template | None = None
    session: Literal["new", "own"] | None = None
    reset: bool = False
    prompt: Template | None = None
    restart_from: Path | None = None
    replan: Template | None = None


@dataclass(frozen=True, slots=True)
class KindPolicy:
    """What holds after a failure of this kind (`guard`, `verdict`) in place of the rest of the policy."""

    kind: str
    attempts: int
    entries: tuple[RetryEntry, ...]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `attempts` attempts; without a `retry` block, one. `by_kind` holds the kinds of failure that differ."""

    attempts: int = 1
    entries: tuple[RetryEntry, ...] = ()
    by_kind: tuple[KindPolicy, ...] = ()

    @property
    def all_entries(self) -> tuple[RetryEntry, ...]:
        """The entries, whatever kind of failure they are for."""
        return (*self.entries, *(entry for policy in self.by_kind for entry in policy.entries))


StepType = Literal["code", "split", "validate", "artifact"]
Worktree = Literal["read-write", "read-only", "none"]
Pause = Literal["none", "before_gate", "after_gate"]


@dataclass(frozen=True, slots=True)
class AgentStep:
    """GET, RUN and GATE with RETRY; a split has the block that runs once per task.

    `agent` is None when the step says `pass`: RUN is skipped and the gates judge the tree as it stands.
    """

    path: Path
    type: StepType
    prompt: Template | None
    agent: Template | None
    worktree: Worktree
    session: Session
    guard: Guard
    gates: tuple[Gate, ...]
    retry: RetryPolicy
    span: Span
    context: tuple[ContextSource, ...] = ()
    inputs: tuple[str, ...] = ()
    get_workflow: Invocation | None = None
    hitl: Pause = "none"
    each: tuple[Step, ...] = ()
    parallel: bool = False
    blast_radius: Literal["fail", "warn", "off"] = "fail"
    task_of: Path | None = None
    cache: bool = True
    kind: Literal["agent"] = "agent"


@dataclass(frozen=True, slots=True)
class GateStep:
    """Gates on the tree as it stands."""

    path: Path
    gates: tuple[Gate, ...]
    span: Span
    retry: RetryPolicy = RetryPolicy()
    task_of: Path | None = None
    kind: Literal["gate"] = "gate"


@dataclass(frozen=True, slots=True)
class Group:
    """Steps that belong together, with gates and retry of their own.

    With `over`, the path of a split, they run once for each of its tasks, below this group's path.
    """

    path: Path
    steps: tuple[Step, ...]
    parallel: bool
    gates: tuple[Gate, ...]
    retry: RetryPolicy
    span: Span
    task_of: Path | None = None
    over: Path | None = None
    kind: Literal["group"] = "group"


@dataclass(frozen=True, slots=True)
class Call:
    """Another workflow run as this step; its steps stand below this step's path."""

    path: Path
    call: Invocation
    span: Span
    task_of: Path | None = None
    kind: Literal["call"] = "call"


Step = AgentStep | GateStep | Group | Call


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a whole run: USD, seconds, tokens in and out."""

    max_budget: float | None = None
    max_timeout: float | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Workflow:
    """One workflow, resolved; `inputs` are the names that its caller, or `--set`, gives.

    Those in `defaults` need not be given.
    """

    name: str
    steps: tuple[Step, ...]
    limits: Limits
    inputs: tuple[str, ...]
    file: str
    span: Span
    defaults: tuple[tuple[str, str], ...] = ()
