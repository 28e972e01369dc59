"""Carries out one attempt's agent call and records it, from the tree before to the tree after.

Order matters here: the launch is on record before the process starts, the tree is a git object before the answer is on
record, and an answer on record is never asked for again. What the agent spent counts however it ended.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

from gumpc import ir
from gumpc.agent_names import AgentSpec
from gumpc.plan import PlanNode
from runtime import events as ev
from runtime.agents.protocol import Adapter, AgentEvent, Launch, Outcome, Turn
from runtime.attempt import PROMPT, CallReport, call_agent, forget_call, recover_call
from runtime.clock import Clock
from runtime.errors import ExitCode
from runtime.files import write_atomic
from runtime.guards import Guards, RunLimits, Trip
from runtime.inputs import Preparer, StepInputs
from runtime.journal import Journal
from runtime.launching import Launching
from runtime.outputs import OutputError, read_output
from runtime.retry import Overrides
from runtime.runs import RunDirectory
from runtime.state import Attempt
from runtime.view import Moment, View
from runtime.workbench import commit_of
from runtime.workspace import Slot

STOPPING = {
    "auth": ExitCode.PAUSED,
    "quota": ExitCode.PAUSED,
    "rate_limit": ExitCode.PAUSED,
    "not_installed": ExitCode.NOT_STARTED,
    "model_not_found": ExitCode.PAUSED,
    "cli_usage": ExitCode.PAUSED,
}
"""Failures that are not the step's: the run stops, and goes on where it was when they are put right."""


class RunStopped(Exception):
    """The run cannot go on now; it is paused on record, and `kind` and `message` say why."""

    def __init__(self, kind: str, message: str, step: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.step = step


Observer = Callable[[PlanNode, AgentEvent, Guards], None]


@dataclass(slots=True)
class AgentCaller:
    """Makes agent calls for one run. `slot` gives the worktree, made when it is first needed."""

    journal: Journal
    view: View
    preparer: Preparer
    run: RunDirectory
    slot: Callable[[], Slot]
    adapter: Callable[[AgentSpec], Adapter]
    environment: Mapping[str, str]
    clock: Clock
    launching: Launching
    limits: Callable[[], RunLimits]
    observe: Observer

    def perform(
        self, node: PlanNode, step: ir.AgentStep, overrides: Overrides, inputs: Callable[[], StepInputs]
    ) -> None:
        """Call the agent for the latest attempt of the step, or take up the call that an earlier process made.

        `inputs` is asked only when a call has to be made: a context command would take the place of the files that
        the earlier call left.
        """
        state = self.journal.state.step(node.id)
        attempt = state.last
        assert attempt is not None, "an attempt has started before its agent is called"
        agent = self.preparer.agent(attempt.agent, node)
        adapter = self.adapter(agent)

        def launch() -> Launch:
            directory, can_resume = str(self.slot().path), adapter.capabilities.resume
            return self.launching.launch(
                node, step, overrides, inputs(), state, agent, directory=directory, can_resume=can_resume
            )

        report = self._recovered(node, step, attempt, adapter, agent) if attempt.launched else None
        report = report or self._call(node, step, attempt, adapter, launch())
        if report.outcome.failure == "session_not_found" and attempt.session_id:
            self.journal.append(ev.SessionLost(node.id, attempt.number, attempt.session_id))
            report = self._call(node, step, attempt, adapter, replace(launch(), session_id=None))
        self._record(node, step, attempt, report)

    def _call(
        self, node: PlanNode, step: ir.AgentStep, attempt: Attempt, adapter: Adapter, launch: Launch
    ) -> CallReport:
        slot = self.slot()
        slot.goto(attempt.tree, commit=self.commit_of(attempt.tree))
        slot.clear_out()
        folder = self.run.create_attempt_folder(node.id, attempt.number)
        forget_call(folder)
        slot.occupy(self._occupant(node, attempt))
        write_atomic(folder / PROMPT, launch.prompt.encode("utf-8", "surrogatepass"))
        self.journal.append(
            ev.AgentLaunched(
                step=node.id,
                attempt=attempt.number,
                agent=attempt.agent,
                cli=adapter.name,
                worktree=str(slot.path),
                session_id=launch.session_id or "",
                prompt_hash=sha256(launch.prompt.encode("utf-8", "surrogatepass")).hexdigest(),
                artifacts=str(folder.relative_to(self.run.path)),
            )
        )
        guards = Guards(step.guard, self.limits())
        with self._recorded_if_interrupted(node, attempt, adapter, launch, folder):
            return call_agent(
                adapter,
                launch,
                environment=dict(self.environment),
                folder=folder,
                guards=guards,
                clock=self.clock,
                on_event=lambda event, guards: self._on_event(node, attempt, event, guards),
            )

    @contextlib.contextmanager
    def _recorded_if_interrupted(
        self, node: PlanNode, attempt: Attempt, adapter: Adapter, launch: Launch, folder: Path
    ) -> Iterator[None]:
        """An interrupt ends the agent; what its stream says it spent goes on record, and the attempt is open again.

        Unless the agent had just ended by itself: its answer is on disk then, and will be taken up.
        """
        try:
            yield
        except BaseException:
            report = recover_call(adapter, launch, folder, Guards(ir.Guard()))
            if report.exit.reason != "exited":
                self._killed(node, attempt, report, "interrupted", in_flight=True)
            raise

    def _on_event(self, node: PlanNode, attempt: Attempt, event: AgentEvent, guards: Guards) -> None:
        if isinstance(event, Turn):
            self.journal.append(ev.TurnCompleted(node.id, attempt.number, guards.turns, guards.usage, guards.cost))
        self.observe(node, event, guards)

    def _recovered(
        self, node: PlanNode, step: ir.AgentStep, attempt: Attempt, adapter: Adapter, agent: AgentSpec
    ) -> CallReport | None:
        """The report of a call made by a process that died; None, on record, when it has to be made again."""
        slot, guards = self.slot(), Guards(step.guard, self.limits())
        launch = Launch("", str(slot.path), agent.model, attempt.session_id or None)
        report = recover_call(adapter, launch, self.run.path / attempt.launched, guards)
        if report.exit.reason == "stopped" and attempt.guard and not report.trip:
            report = replace(report, trip=Trip(attempt.guard, "a limit was passed before the run ended"))
        if report.trip or report.exit.reason == "flooded":
            return report
        if report.exit.reason == "exited" and slot.occupant() == self._occupant(node, attempt):
            return report
        self._killed(node, attempt, report, "the run ended while it was working", in_flight=True)
        return None

    def _record(self, node: PlanNode, step: ir.AgentStep, attempt: Attempt, report: CallReport) -> None:
        outcome, trip = report.outcome, report.trip
        if limit := _limit_passed(report):
            guard, reason = limit
            self.journal.append(ev.GuardTriggered(node.id, attempt.number, guard, reason))
            self._killed(node, attempt, report, reason, guard=guard)
            if trip and trip.scope == "run":
                self.journal.append(ev.BudgetExceeded(node.id, trip.guard, trip.limit, trip.spent))
            return
        if report.exit.reason == "not_started":
            self._stop(node, attempt, report, "not_installed", f"the agent cannot be started: {report.exit.message}")
        if outcome.failure in STOPPING:
            self._stop(node, attempt, report, outcome.failure, outcome.message)
        self._answered(node, step, attempt, report)

    def _stop(self, node: PlanNode, attempt: Attempt, report: CallReport, kind: str, message: str) -> NoReturn:
        self._killed(node, attempt, report, message, in_flight=True)
        raise RunStopped(kind, message, node.id)

    def _killed(
        self,
        node: PlanNode,
        attempt: Attempt,
        report: CallReport,
        reason: str,
        *,
        in_flight: bool = False,
        guard: str = "",
    ) -> None:
        outcome = report.outcome
        self.journal.append(
            ev.AgentKilled(
                step=node.id,
                attempt=attempt.number,
                reason=reason,
                duration_ms=round(report.exit.seconds * 1000),
                usage=outcome.usage,
                cost_usd=outcome.cost if report.spoke else 0.0,
                turns_partial=outcome.turns,
                session_id=outcome.session_id,
                in_flight=in_flight,
                guard=guard,
            )
        )

    def _answered(self, node: PlanNode, step: ir.AgentStep, attempt: Attempt, report: CallReport) -> None:
        slot, outcome = self.slot(), report.outcome
        tree = slot.snapshot(base=attempt.tree)
        failure, message, values = str(outcome.failure or ""), outcome.message, dict[str, str]()
        may_write = step.worktree == "read-write" and not step.guard.no_write
        if not failure and not may_write and tree != attempt.tree:
            changed = ", ".join(c.path for c in self.view.repository.changed(attempt.tree, tree))
            failure, message, tree = "guard", f"it changed files, and this step may not write: {changed}", attempt.tree
            self.journal.append(ev.GuardTriggered(node.id, attempt.number, "no_write", message))
        if not failure:
            failure, message, values = self._output(step, outcome)
        self.journal.append(
            ev.AgentCompleted(
                step=node.id,
                attempt=attempt.number,
                tree=tree,
                exit_code=report.exit.code,
                duration_ms=round(report.exit.seconds * 1000),
                usage=outcome.usage,
                cost_usd=outcome.cost,
                turns=outcome.turns,
                session_id=outcome.session_id,
                model=outcome.model,
                failure=failure,
                message=message,
                text=outcome.text[:2000],
                first_write_ms=None if report.first_write is None else round(report.first_write * 1000),
                is_error=bool(failure),
                values=values,
            )
        )

    def _output(self, step: ir.AgentStep, outcome: Outcome) -> tuple[str, str, dict[str, str]]:
        """What the agent produced: the kind of failure with its message, or the values of the step's state."""
        if step.type == "code":
            return "", "", {}
        output = read_output(step.type, read=self.slot().read, message=outcome.text, structured=outcome.structured)
        if isinstance(output, OutputError):
            return "output", output.message, {}
        values = {"output": output.text}
        if output.judgement is None:
            return "", "", values
        values["comments"] = output.judgement.comments
        if output.judgement.passed:
            return "", "", values
        return "verdict", output.judgement.comments or "the verdict is false, without comments", values

    def moment(self, node: PlanNode) -> Moment:
        """The moment after the attempts made so far, in which overrides are read."""
        return Moment(node, tuple(self.journal.state.step(node.id).attempts))

    def commit_of(self, tree: str) -> str:
        """The commit that a slot shows for a tree."""
        return commit_of(self.view.repository, self.journal.state, tree)

    def _occupant(self, node: PlanNode, attempt: Attempt) -> str:
        return f"{self.run.id} {node.id} {attempt.number} {attempt.started_ms}"


def _limit_passed(report: CallReport) -> tuple[str, str] | None:
    """The guard that ended the call, ours or the CLI's own native one, and why; None when none did."""
    if report.trip:
        return report.trip.guard, report.trip.reason
    if report.exit.reason in ("stopped", "flooded"):
        return "max_output", "it printed more than is kept"
    if report.outcome.failure in ("max_turns", "max_budget"):
        return report.outcome.failure, report.outcome.message
    return None
