"""The plan before it runs: for every step whether it would be skipped or run, and why, without running anything.

It walks the plan as the executor would, with the same decision function, on a state of its own. A step that would be
skipped hands its tree and values on in that state; what depends on a step that would run cannot be known and waits.
The order of the file alone makes nobody wait here: it changes when a step runs, not what it runs on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gumpc import ir
from gumpc.plan import PlanNode, make_plan
from runtime import events as ev
from runtime.freshness import Decision, Freshness
from runtime.storing import skipped_event

Fate = Literal["skip", "regate", "run", "wait", "pass"]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would happen to one node. `waits_for` names the node that must run first, `wait` is its fate then."""

    node: PlanNode
    fate: Fate
    reason: str
    decision: Decision | None = None
    waits_for: str = ""

    @property
    def agent(self) -> str:
        """The agent that would be called first, as far as it is known."""
        if self.decision and self.decision.inputs:
            return self.decision.inputs.agent.name
        step = self.node.step
        if not isinstance(step, ir.AgentStep) or step.agent is None:
            return ""
        return "".join(part.text if isinstance(part, ir.Text) else part.written for part in step.agent.parts)


def look_ahead(freshness: Freshness) -> tuple[Outlook, ...]:
    """The outlook of every node, in the plan's order; the view's plan and state are moved along with it."""
    view = freshness.view
    found: list[Outlook] = []
    while len(found) < len(view.plan.nodes):
        node = view.plan.nodes[len(found)]
        outlook = _outlook(freshness, node)
        found.append(outlook)
        if outlook.decision and outlook.fate in ("skip", "pass"):
            _move_along(freshness, outlook.decision)
    return tuple(found)


def _outlook(freshness: Freshness, node: PlanNode) -> Outlook:
    blocker = _blocker(freshness, node)
    if blocker:
        return Outlook(node, "wait", f"waits for {blocker}", waits_for=blocker)
    decision = freshness.decide(node)
    return Outlook(node, decision.action, decision.reason, decision)


def _blocker(freshness: Freshness, node: PlanNode) -> str:
    """The first node that this one takes something from and that would run; empty when there is none."""
    state = freshness.view.state
    sources = [
        e.source for e in freshness.view.plan.edges_into(node.id) if e.kind != "order" or node.kind in ("call", "group")
    ]
    return next((source for source in sources if state.peek(source).phase != "passed"), "")


def _move_along(freshness: Freshness, decision: Decision) -> None:
    view, node = freshness.view, decision.node
    if decision.action == "pass":
        view.state.apply(ev.StepCompleted(node.id, "pass", node.kind, 0, decision.tree), at_ms=0)
        return
    view.state.apply(skipped_event(decision, decision.verdicts), at_ms=0)
    if decision.stored and decision.stored.tasks is not None:
        view.plan = make_plan(view.plan.workflow, view.state.tasks)
