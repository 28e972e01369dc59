"""What an attempt's agent is launched with: its prompt, its session, its limits; made from the run's state alone.

Attempt 1 is sent exactly what the step's key was made of. A later one is sent the overrides in force, or else the same
prompt with the failure told behind it.
"""

from __future__ import annotations

from dataclasses import dataclass

from gumpc import ir
from gumpc.agent_names import AgentSpec
from gumpc.plan import PlanNode
from runtime.agents.protocol import Launch
from runtime.inputs import Preparer, StepInputs
from runtime.prompt import compose, failure_context
from runtime.retry import Overrides
from runtime.state import StepState
from runtime.view import Moment, View, error_of


@dataclass(slots=True)
class Launching:
    """Makes launches for one run."""

    view: View
    preparer: Preparer

    def launch(
        self,
        node: PlanNode,
        step: ir.AgentStep,
        overrides: Overrides,
        inputs: StepInputs,
        state: StepState,
        agent: AgentSpec,
        *,
        directory: str,
        can_resume: bool,
    ) -> Launch:
        """The launch of the step's latest attempt; no session for an agent that `can_resume` none."""
        session = self._session(node, step, overrides, state) if can_resume else None
        return Launch(
            prompt=self._prompt(node, step, overrides, inputs, state, session),
            directory=directory,
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
            found = self.view.state.peek(source) if source else None
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
