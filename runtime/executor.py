"""The executor: one loop that performs the scheduler's commands and records what comes of each.

It holds no state of its own beyond the journal's. Whatever a command does is over and on record when the next one is
asked for, so a process that dies between two commands, or within one, leaves a run that another process can go on with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gumpc import ir
from gumpc.plan import Plan, PlanNode, make_plan
from gumpc.tasks import Task
from gumpc.values import first_line
from runtime import events as ev
from runtime.agent_call import AgentCaller
from runtime.checks import Checker
from runtime.freshness import Decision, Freshness
from runtime.gates.check import GateStopped
from runtime.gates.verdict import Verdict
from runtime.inputs import StepInputs
from runtime.journal import Journal
from runtime.outputs import parse_tasks
from runtime.retry import Overrides
from runtime.runs import RunDirectory
from runtime.scheduler import (
    Begin,
    CallAgent,
    Command,
    End,
    Finish,
    GiveUp,
    JudgeGates,
    Retry,
    failure_of,
    next_commands,
)
from runtime.state import Attempt, RunState, StepState
from runtime.storing import Storing, skipped_event
from runtime.view import Judged, View, error_of


@dataclass(slots=True)
class Executor:
    """Carries out one run, from wherever its journal stands to its end."""

    journal: Journal
    view: View
    freshness: Freshness
    checker: Checker
    caller: AgentCaller
    storing: Storing
    run: RunDirectory
    visit: Callable[[str], Path]
    on_plan: Callable[[Plan], None]
    _inputs: dict[str, StepInputs] = field(default_factory=dict)

    def execute(self) -> str:
        """Go on until nothing is left to do; `passed` or `failed`."""
        while True:
            self._expand()
            if self.journal.state.limit:
                return self._end("failed")
            commands = next_commands(self.view.plan, self.journal.state)
            assert commands, "an acyclic plan that is not over always has a step that can go on"
            command = commands[0]
            if isinstance(command, End):
                return self._end(command.status)
            if passed := limit_passed(self.journal.state, command):
                self.journal.append(ev.BudgetExceeded(command.node.id, *passed))
                continue
            try:
                self._perform(command)
            except GateStopped:
                self.journal.append(ev.BudgetExceeded(command.node.id, *time_spent(self.journal.state)))

    def _perform(self, command: Command) -> None:
        match command:
            case Begin(node=node):
                self._begin(node)
            case CallAgent(node=node, overrides=overrides):
                self._call(node, overrides)
            case JudgeGates(node=node):
                self._judge(node)
            case Finish(node=node):
                self._finish(node)
            case Retry(node=node, number=number, overrides=overrides):
                self._retry(node, number, overrides)
            case GiveUp(node=node):
                self._give_up(node)
            case End():
                pass

    def _expand(self) -> None:
        """Make the plan again when a split has produced tasks that it does not hold yet."""
        tasks = self.journal.state.tasks
        if tasks != dict(self.view.plan.tasks):
            self.view.plan = make_plan(self.view.plan.workflow, tasks)
            self.on_plan(self.view.plan)

    def _begin(self, node: PlanNode) -> None:
        decision = self.freshness.decide(node)
        for warning in decision.inputs.warnings if decision.inputs else ():
            self.journal.append(ev.StepWarned(node.id, warning))
        match decision.action:
            case "pass":
                self.journal.append(ev.StepCompleted(node.id, "pass", node.kind, 0, decision.tree))
            case "skip":
                self._skip(decision, decision.verdicts)
            case "regate":
                self._regate(decision)
            case "run":
                self._start(decision)

    def _skip(self, decision: Decision, verdicts: tuple[Verdict, ...]) -> None:
        self.journal.append(skipped_event(decision, verdicts))
        if decision.stored:
            self.storing.remember_latest(decision)

    def _regate(self, decision: Decision) -> None:
        """Run the gates that have not judged the stored result yet; the agent is called only if one fails."""
        assert decision.stored is not None, "only a stored result can be judged again"
        judged = Judged(decision.tree_in, decision.tree, decision.stored.values)
        self.journal.append(ev.GateStarted(decision.node.id, 0, decision.pending))
        verdicts = self._run_gates(decision.node, judged, attempt=0)
        failed = [v.name for v in verdicts if not v.passed]
        if not failed:
            self._skip(decision, verdicts)
            return
        self._start(decision, reason=f"the stored result does not pass the gate {', '.join(failed)}")

    def _start(self, decision: Decision, *, reason: str = "") -> None:
        step = decision.node.step
        agent = decision.inputs.agent.name if decision.inputs else ""
        signature = ""
        if decision.inputs:
            self._inputs[decision.node.id] = decision.inputs
            self.storing.keep_manifest(decision, self.run)
            signature = self.freshness.signature(decision.inputs, decision.node, [])
        self.journal.append(
            ev.StepStarted(
                step=decision.node.id,
                agent=agent,
                step_type=step.type if isinstance(step, ir.AgentStep) else step.kind,
                attempt=1,
                session_mode=step.session.mode if isinstance(step, ir.AgentStep) else "",
                tree=decision.tree_in,
                tree_in=decision.tree_in,
                key=decision.key,
                item=decision.node.tasks[-1][1] if decision.node.tasks else "",
                reason=reason or decision.reason,
                signature=signature,
            )
        )

    def _call(self, node: PlanNode, overrides: Overrides) -> None:
        assert isinstance(node.step, ir.AgentStep), "only agent steps have agents"
        self.caller.perform(node, node.step, overrides, lambda: self._inputs_of(node))

    def _judge(self, node: PlanNode) -> None:
        state = self.journal.state.step(node.id)
        attempt = state.last
        assert attempt is not None, "gates judge an attempt"
        judged = self._judged(node, state, attempt)
        checks = tuple(g.name for g in node.step.gates) if not isinstance(node.step, ir.Call) else ()
        self.journal.append(ev.GateStarted(node.id, attempt.number, checks))
        verdicts = self._run_gates(node, judged, attempt=attempt.number)
        failed = [v for v in verdicts if not v.passed]
        for verdict in verdicts:
            if verdict.passed and verdict.name == "blast_radius":
                task = self.view.task_of(node)
                self.journal.append(ev.BlastRadiusWarning(node.id, (verdict.comments,), task.files if task else ()))
        if failed:
            first = first_line(failed[0].error or failed[0].comments) or "failed"
            reason = f"{failed[0].name}: {first}"
            self.journal.append(ev.GateFailed(node.id, attempt.number, verdicts, reason))
        else:
            self.journal.append(ev.GatePassed(node.id, attempt.number, verdicts))

    def _judged(self, node: PlanNode, state: StepState, attempt: Attempt) -> Judged:
        """An agent's step is judged by its whole change, a gate step by the run's whole change so far."""
        if isinstance(node.step, ir.AgentStep) and node.step.agent is not None:
            return Judged(state.tree_in, attempt.tree_out, attempt.values)
        return Judged(self.journal.state.tree, attempt.tree, {})

    def _run_gates(self, node: PlanNode, judged: Judged, *, attempt: int) -> tuple[Verdict, ...]:
        def directory() -> Path:
            return self.visit(judged.tree)

        artifacts = self.run.create_attempt_folder(node.id, max(attempt, 1))
        return self.checker.judge(node, judged, directory=directory, artifacts=artifacts)

    def _finish(self, node: PlanNode) -> None:
        state = self.journal.state.step(node.id)
        attempt = state.last
        assert attempt is not None, "a step finishes with the attempt that passed"
        has_agent = isinstance(node.step, ir.AgentStep) and node.step.agent is not None
        tree = attempt.tree_out if has_agent else state.tree_in
        values = self.storing.values_of(state, attempt) if has_agent else {}
        tasks = self._tasks(node, attempt)
        self.journal.append(ev.StateUpdated(node.id, values, tasks))
        if has_agent:
            self.storing.store(node, self._inputs_of(node), state, attempt, tree, tasks)
        commit = self.storing.snapshot(node, state, tree)
        self._complete(node, "pass", tree, commit)

    def _inputs_of(self, node: PlanNode) -> StepInputs:
        """What the step was begun with; made again where another process has begun it."""
        assert isinstance(node.step, ir.AgentStep), "only agent steps have inputs"
        if node.id not in self._inputs:
            self._inputs[node.id] = self.freshness.keyed(node, node.step)[0]
        return self._inputs[node.id]

    def _tasks(self, node: PlanNode, attempt: Attempt) -> tuple[Task, ...] | None:
        if not isinstance(node.step, ir.AgentStep) or node.step.type != "split":
            return None
        tasks = parse_tasks(attempt.values["output"])
        assert isinstance(tasks, tuple), "an attempt whose tasks cannot be read has failed"
        return tasks

    def _retry(self, node: PlanNode, number: int, overrides: Overrides) -> None:
        state = self.journal.state.step(node.id)
        failed = state.last
        assert failed is not None, "a retry follows an attempt"
        agent = failed.agent
        if overrides.agent:
            agent = self.view.render(overrides.agent, self.caller.moment(node)).strip()
        reason = first_line(error_of(failed)) or failed.failure or "failed"
        self.journal.append(ev.RetryTriggered(node.id, number, reason, overrides.described()))
        session = "new" if overrides.session == "new" or agent != failed.agent else "own"
        self.journal.append(
            ev.StepStarted(
                step=node.id,
                agent=agent,
                step_type=state.kind,
                attempt=number,
                session_mode=session,
                tree=state.tree_in if overrides.reset else (failed.tree_out or failed.tree),
                tree_in=state.tree_in,
                key=state.key,
                item=node.tasks[-1][1] if node.tasks else "",
                signature=self._signature(node, state),
            )
        )

    def _signature(self, node: PlanNode, state: StepState) -> str:
        if not isinstance(node.step, ir.AgentStep) or node.step.agent is None:
            return ""
        failures = [failure_of(attempt) for attempt in state.attempts]
        return self.freshness.signature(self._inputs_of(node), node, failures)

    def _give_up(self, node: PlanNode) -> None:
        state = self.journal.state.step(node.id)
        failed = state.last
        assert failed is not None, "a step gives up after an attempt"
        reason = first_line(error_of(failed)) or failed.failure or "failed"
        self.journal.append(ev.CircuitBreaker(node.id, "step", reason, len(state.attempts)))
        tree = failed.tree_out or failed.tree
        commit = self.storing.snapshot(node, state, tree)
        self._complete(node, "fatal", tree, commit)

    def _complete(self, node: PlanNode, status: str, tree: str, commit: str) -> None:
        state = self.journal.state.step(node.id)
        spent = max(0, self.journal.state.now_ms - state.started_ms)
        attempt = state.last.number if state.last else 0
        self.journal.append(ev.StepCompleted(node.id, status, state.kind, spent, tree, commit, attempt))
        self._write_state()

    def _end(self, status: str) -> str:
        state = self.journal.state
        tree = self.final_tree()
        commit = self.storing.result_commit(tree)
        self.journal.append(ev.RunCompleted(state.id, status, state.duration_ms, state.cost, tree, commit))
        self._write_state()
        return status

    def final_tree(self) -> str:
        """The tree that the run has come to: that of the last step that is over and writes."""
        state = self.journal.state
        trees = [s.tree for n in self.view.plan.nodes if n.writes and (s := state.peek(n.id)).is_over and s.tree]
        return trees[-1] if trees else state.tree

    def _write_state(self) -> None:
        self.storing.write_state(self.view, self.run)


def limit_passed(state: RunState, command: Command) -> tuple[str, float, float] | None:
    """The run's limit that leaves nothing for a command, with the limit and what is spent of it.

    Keeping what has passed is always within the limits; without money or tokens left, gates still run.
    """
    takes_time = isinstance(command, Begin | CallAgent | JudgeGates)
    if takes_time and state.max_timeout is not None and state.duration_ms >= state.max_timeout * 1000:
        return time_spent(state)
    if isinstance(command, CallAgent) and state.max_budget is not None and state.priced_cost >= state.max_budget:
        return "max_budget", state.max_budget, state.priced_cost
    if isinstance(command, CallAgent) and state.max_tokens is not None and state.usage.total >= state.max_tokens:
        return "max_tokens", state.max_tokens, state.usage.total
    return None


def time_spent(state: RunState) -> tuple[str, float, float]:
    """The run's time limit in seconds, which is over, and what is used up of it as of the latest event."""
    limit = state.max_timeout or 0.0
    return "max_timeout", limit, max(limit, state.duration_ms / 1000)
