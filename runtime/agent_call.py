"""Carries out one attempt's agent call and records it, from the tree before to the tree after.

Order matters here: the launch is on record before the process starts, the tree is a git object before the answer is on
record, and an answer on record is never asked for again. What the agent spent counts however it ended.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from gumpc import ir
from gumpc.agent_names import AgentSpec
from gumpc.plan import PlanNode
from runtime import events as ev
from runtime.agents.protocol import Adapter, AgentEvent, Launch, Outcome, SessionSeen, Turn
from runtime.attempt import PROMPT, CallReport, call_agent, recover_call
from runtime.clock import Clock
from runtime.errors import ExitCode
from runtime.files import write_atomic
from runtime.guards import Guards, RunLimits
from runtime.inputs import Preparer, StepInputs
from runtime.journal import Journal
from runtime.outputs import OutputError, read_output
from runtime.prompt import compose, failure_context
from runtime.retry import Overrides
from runtime.runs import RunDirectory
from runtime.state import Attempt, StepState
from runtime.view import Moment, View, error_of
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
    limits: Callable[[], RunLimits]
    observe: Observer

    def perform(self, node: PlanNode, step: ir.AgentStep, overrides: Overrides, inputs: StepInputs) -> None:
        """Call the agent for the latest attempt of the step, or take up the call that an earlier process made."""
        state = self.journal.state.step(node.id)
        attempt = state.last
        assert attempt is not None, "an attempt has started before its agent is called"
        agent = self.preparer.agent(attempt.agent, node)
        adapter = self.adapter(agent)
        launch = self._launch(node, step, overrides, inputs, state, agent)
        if attempt.launched and self._recover(node, step, attempt, adapter, launch):
            return
        for _ in range(2):
            report = self._call(node, step, attempt, adapter, launch)
            if report.outcome.failure != "session_not_found" or launch.session_id is None:
                break
            self.journal.append(ev.SessionLost(node.id, attempt.number, launch.session_id))
            launch = replace(launch, session_id=None)
        self._record(node, step, attempt, report)

    def _call(
        self, node: PlanNode, step: ir.AgentStep, attempt: Attempt, adapter: Adapter, launch: Launch
    ) -> CallReport:
        slot = self.slot()
        slot.goto(attempt.tree, commit=self.commit_of(attempt.tree))
        slot.clear_out()
        folder = self.run.create_attempt_folder(node.id, attempt.number)
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
        with self._recorded_if_interrupted(node, attempt, guards):
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
    def _recorded_if_interrupted(self, node: PlanNode, attempt: Attempt, guards: Guards) -> Iterator[None]:
        """An interrupt ends the agent; what it had spent goes on record, and the attempt can be made again."""
        began = self.clock.monotonic()
        try:
            yield
        except BaseException:
            spent = round((self.clock.monotonic() - began) * 1000)
            usage, cost = guards.usage, guards.cost
            self.journal.append(
                ev.AgentKilled(
                    node.id, attempt.number, "interrupted", spent, usage, cost or 0.0, guards.turns, in_flight=True
                )
            )
            raise

    def _on_event(self, node: PlanNode, attempt: Attempt, event: AgentEvent, guards: Guards) -> None:
        if isinstance(event, Turn):
            self.journal.append(ev.TurnCompleted(node.id, attempt.number, guards.turns, guards.usage, guards.cost))
        if isinstance(event, SessionSeen):
            attempt.session_id = event.session_id
        self.observe(node, event, guards)

    def _recover(self, node: PlanNode, step: ir.AgentStep, attempt: Attempt, adapter: Adapter, launch: Launch) -> bool:
        """Take up a call made by a process that died; False when it has to be made again."""
        report = recover_call(adapter, launch, self.run.path / attempt.launched)
        ended = report is not None and report.exit.reason == "exited"
        if report and ended and self.slot().occupant() == self._occupant(node, attempt):
            self._record(node, step, attempt, report)
            return True
        outcome = report.outcome if report else Outcome()
        self.journal.append(
            ev.AgentKilled(
                node.id,
                attempt.number,
                "the run ended while it was working",
                round(report.exit.seconds * 1000) if report else 0,
                outcome.usage,
                outcome.cost if report else None,
                outcome.turns,
                outcome.session_id,
                in_flight=True,
            )
        )
        return False

    def _record(self, node: PlanNode, step: ir.AgentStep, attempt: Attempt, report: CallReport) -> None:
        outcome = report.outcome
        milliseconds = round(report.exit.seconds * 1000)
        if limit := _limit_passed(report):
            trip = report.trip
            guard, reason = limit
            self.journal.append(ev.GuardTriggered(node.id, attempt.number, guard, reason))
            self.journal.append(
                ev.AgentKilled(
                    node.id,
                    attempt.number,
                    reason,
                    milliseconds,
                    outcome.usage,
                    outcome.cost,
                    outcome.turns,
                    outcome.session_id,
                )
            )
            if trip and trip.scope == "run":
                self.journal.append(ev.BudgetExceeded(node.id, trip.guard, trip.limit, trip.spent))
            return
        if outcome.failure in STOPPING:
            self._stop(node, attempt, report, milliseconds)
        self._answered(node, step, attempt, report, milliseconds)

    def _stop(self, node: PlanNode, attempt: Attempt, report: CallReport, milliseconds: int) -> None:
        outcome = report.outcome
        self.journal.append(
            ev.AgentKilled(
                node.id,
                attempt.number,
                outcome.message,
                milliseconds,
                outcome.usage,
                outcome.cost,
                outcome.turns,
                outcome.session_id,
                in_flight=True,
            )
        )
        raise RunStopped(str(outcome.failure), outcome.message, node.id)

    def _answered(
        self, node: PlanNode, step: ir.AgentStep, attempt: Attempt, report: CallReport, milliseconds: int
    ) -> None:
        slot, outcome = self.slot(), report.outcome
        tree = slot.snapshot(base=attempt.tree)
        failure, message, values = str(outcome.failure or ""), outcome.message, dict[str, str]()
        if not failure and step.worktree != "read-write" and tree != attempt.tree:
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
                duration_ms=milliseconds,
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

    def _launch(
        self,
        node: PlanNode,
        step: ir.AgentStep,
        overrides: Overrides,
        inputs: StepInputs,
        state: StepState,
        agent: AgentSpec,
    ) -> Launch:
        session = self._session(node, step, overrides, state)
        return Launch(
            prompt=self._prompt(node, step, overrides, inputs, state, session),
            directory=str(self.slot().path),
            model=agent.model,
            session_id=session,
            fork=len(state.attempts) == 1,
            read_only=step.worktree != "read-write",
            max_turns=step.guard.max_turns,
            max_budget=step.guard.max_budget,
        )

    def _session(self, node: PlanNode, step: ir.AgentStep, overrides: Overrides, state: StepState) -> str | None:
        """The session to go on in: the source's on attempt 1, the step's own after it, none after a change of agent."""
        before = state.attempts[-2] if len(state.attempts) > 1 else None
        agent = state.attempts[-1].agent
        if before is None:
            source = self.preparer.session_source(node, step)
            found = self.journal.state.peek(source) if source else None
            return found.session_id or None if found and self._same_cli(found.agent, agent, node) else None
        if overrides.session == "new" or before.agent != agent:
            return None
        return before.session_id or None

    def _same_cli(self, one: str, other: str, node: PlanNode) -> bool:
        return self.preparer.agent(one, node).adapter == self.preparer.agent(other, node).adapter

    def _prompt(
        self,
        node: PlanNode,
        step: ir.AgentStep,
        overrides: Overrides,
        inputs: StepInputs,
        state: StepState,
        session: str | None,
    ) -> str:
        failed = tuple(state.attempts[:-1])
        if not failed:
            return compose(inputs.prompt, inputs.context, inputs.rules)
        moment = Moment(node, failed)
        if overrides.prompt:
            return compose(self.view.render(overrides.prompt, moment), inputs.context, inputs.rules)
        told = failure_context(
            number=len(failed) + 1,
            attempts=step.retry.attempts,
            error=error_of(failed[-1]),
            same_session=session is not None,
        )
        prompt = self.view.render(step.prompt, moment) if step.prompt else ""
        return compose(prompt, inputs.context, inputs.rules, told)

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
