"""What a reference is worth at a certain moment of a run: the one place where values are looked up.

Every target of the IR has one reading. Nothing is searched by name: paths were resolved by the compiler, and only
tasks are bound here. The diff of a code step is made from its two trees when it is asked for, so that no state, ledger
or cache entry grows with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gumpc import ir
from gumpc.ir import ALL, Reference, Template
from gumpc.plan import Frame, Plan, PlanNode, bind
from gumpc.substitute import keep_attempt_references, substitute
from gumpc.tasks import Task
from gumpc.values import cut_middle
from runtime.repository import Repository
from runtime.state import Attempt, RunState, StepState


@dataclass(frozen=True, slots=True)
class Judged:
    """What gates look at: the step's change from its start, and the values it would write."""

    tree_in: str
    tree: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Moment:
    """Where in a step's life a value is asked for: after which failed attempts, or in front of which result."""

    node: PlanNode
    attempts: tuple[Attempt, ...] = ()
    judged: Judged | None = None


@dataclass(slots=True)
class View:
    """Values of a plan's references, as its state stands. `inputs` hold `spec` and what `--set` gave."""

    plan: Plan
    state: RunState
    repository: Repository
    inputs: Mapping[str, str]
    max_error_chars: int = 2000
    max_diff_chars: int = 3000
    _diffs: dict[tuple[str, str], str] = field(default_factory=dict)

    def render(self, template: Template, moment: Moment) -> str:
        """The template's text at this moment."""
        return substitute(template, lambda reference: self.value(reference, moment))

    def render_open(self, template: Template, moment: Moment) -> str:
        """The template's text with the references to the step's own attempts left as they are written."""
        return substitute(template, keep_attempt_references(lambda reference: self.value(reference, moment)))

    def value(self, reference: Reference, moment: Moment) -> str:
        """The value of one reference at this moment."""
        match reference.target:
            case ir.InputTarget(name=name):
                return self._input(name, moment.node)
            case ir.TaskTarget(split=split, field=field_name):
                return self._task(split, moment.node).field(field_name)
            case ir.StepTarget(path=path, field=field_name):
                return self._step(path, field_name, moment.node)
            case ir.AttemptTarget(name=name):
                return self._attempt(name, moment)
            case ir.RunTarget(name=name):
                return self._run(name, moment)

    def tree_before(self, node: PlanNode) -> str:
        """The tree that a node starts from; empty while the node before has none yet."""
        return self.state.peek(node.tree_from).tree if node.tree_from else self.state.tree

    def task_of(self, node: PlanNode) -> Task | None:
        """The innermost task that a node belongs to."""
        if not node.tasks:
            return None
        split, name = node.tasks[-1]
        return next((t for t in self.state.tasks.get(split, ()) if t.name == name), None)

    def blast_radius(self, node: PlanNode) -> str:
        """What becomes of a change outside of the task's files, as the task's split says: `fail`, `warn` or `off`."""
        split = self.plan.by_id[node.tasks[-1][0]].step if node.tasks else None
        return split.blast_radius if isinstance(split, ir.AgentStep) else "off"

    def diff(self, old: str, new: str) -> str:
        """The unified diff between two trees."""
        if (old, new) not in self._diffs:
            self._diffs[old, new] = "" if old == new else self.repository.diff(old, new)
        return self._diffs[old, new]

    def _input(self, name: str, node: PlanNode) -> str:
        frame = self.plan.frames[node.frame]
        while frame.id:
            bound = next((b.value for b in frame.bindings if b.name == name), None)
            if bound is not None:
                caller = _Caller(self.plan.by_id, frame)
                return self.render(bound, Moment(caller.node))
            frame = self.plan.frames[frame.parent]
        return self.inputs.get(name, "")

    def _task(self, split: ir.Path, node: PlanNode) -> Task:
        frame = self.plan.frames[node.frame]
        split_id = "/".join(bind(split, frame=frame, tasks=node.tasks))
        name = dict(node.tasks)[split_id]
        return next(t for t in self.state.tasks[split_id] if t.name == name)

    def _step(self, path: ir.Path, field_name: str, node: PlanNode) -> str:
        bound = bind(path, frame=self.plan.frames[node.frame], tasks=node.tasks)
        if ALL not in bound:
            return self.field(self.state.peek("/".join(bound)), field_name)
        found = self._matching(bound)
        return "\n\n".join(f"## {name}\n\n{self.field(step, field_name)}" for name, step in found)

    def _matching(self, path: ir.Path) -> list[tuple[str, StepState]]:
        """The task's name and state of every step at a path with `ALL`, in task order."""
        where = path.index(ALL)
        found = []
        for task in self.state.tasks.get("/".join(path[:where]), ()):
            bound = (*path[:where], task.name, *path[where + 1 :])
            if ALL in bound:
                found += [(f"{task.name}/{name}", step) for name, step in self._matching(bound)]
            else:
                found.append((task.name, self.state.peek("/".join(bound))))
        return found

    def field(self, step: StepState, name: str) -> str:
        """One field of a step's state, as section "State" of the language defines it; empty when not written."""
        if name in step.values:
            return step.values[name]
        if not step.tree and name in ("diff", "output", "files"):
            return ""
        if step.kind == "code" and name in ("diff", "output"):
            return self.diff(step.tree_in, step.tree)
        if name == "files":
            return ", ".join(c.path for c in self.repository.changed(step.tree_in, step.tree))
        return state_field(step, name)

    def _attempt(self, name: str, moment: Moment) -> str:
        if moment.judged is not None:
            return self._judged(name, moment.judged)
        back = 2 if name.startswith("prev.") else 1
        attempts = moment.attempts
        failed = attempts[-back] if len(attempts) >= back else None
        return self._failed(name.removeprefix("prev."), failed, len(attempts), moment)

    def _judged(self, name: str, judged: Judged) -> str:
        if name in judged.values:
            return judged.values[name]
        return self.diff(judged.tree_in, judged.tree)

    def _failed(self, name: str, failed: Attempt | None, made: int, moment: Moment) -> str:
        if name == "attempt":
            return str(failed.number if failed else 1)
        if failed is None:
            return ""
        if name == "error":
            return cut_middle(error_of(failed), self.max_error_chars)
        if name.startswith("gate."):
            return gate_field(failed.gates, name)
        if name in failed.values:
            return failed.values[name]
        if name in ("diff", "output"):
            start = self.tree_before(moment.node)
            return cut_middle(self.diff(start, failed.tree_out or start), self.max_diff_chars)
        return {"agent": failed.agent, "session_id": failed.session_id}.get(name, "")

    def _run(self, name: str, moment: Moment) -> str:
        if name in ("diff", "output"):
            return self.diff(self.state.tree, self.tree_before(moment.node))
        return ""


@dataclass(frozen=True, slots=True)
class _Caller:
    """The node in whose scope a call's bindings are read."""

    nodes: Mapping[str, PlanNode]
    frame: Frame

    @property
    def node(self) -> PlanNode:
        return self.nodes[self.frame.id]


def error_of(attempt: Attempt) -> str:
    """What went wrong in an attempt: every failed gate's error under its name, or why the agent's run failed."""
    parts = [attempt.message] if attempt.failure and attempt.message else []
    parts += [f"{gate.name}: {gate.error or gate.comments}" for gate in attempt.failed_gates]
    return "\n\n".join(parts)


def gate_field(gates: tuple[object, ...], name: str) -> str:
    """`gate.NAME`, `gate.NAME.comments` or `gate.NAME.error` out of verdicts."""
    _, gate, *rest = name.split(".")
    verdict = next((g for g in gates if getattr(g, "name", "") == gate), None)
    if verdict is None:
        return ""
    if not rest:
        return "true" if getattr(verdict, "passed", False) else "false"
    return str(getattr(verdict, rest[0]))


def state_field(step: StepState, name: str) -> str:
    """A field that is computed from the step's state and not written by it."""
    if name.startswith("gate."):
        return gate_field(step.gates, name)
    if name.startswith("prev."):
        before = step.attempts[-2] if len(step.attempts) > 1 else None
        return gate_field(before.gates, name[5:]) if before and name.startswith("prev.gate.") else ""
    usage, cost = step.usage, step.cost
    last = step.last
    fields = {
        "agent": step.agent,
        "session_id": step.session_id,
        "status": {"passed": "pass", "fatal": "fatal"}.get(step.phase, ""),
        "cached": "true" if step.cached else "false",
        "attempt": str(last.number if last else 0),
        "duration": str(step.duration_ms),
        "cost": "" if cost is None else f"{cost:.6f}",
        "turns": str(sum(a.turns for a in step.attempts)),
        "tokens_in": str(usage.input),
        "tokens_out": str(usage.output),
        "cache_read": str(usage.cache_read),
        "cache_write": str(usage.cache_write),
        "retries": str(max(0, len(step.attempts) - 1)),
        "check_result": "none" if not step.gates else "pass" if all(g.passed for g in step.gates) else "fail",
    }
    return fields.get(name, "")
