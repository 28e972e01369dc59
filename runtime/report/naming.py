"""What a plan's nodes are called on screens: which are shown at all, under which name, with which agent and gates."""

from __future__ import annotations

from gumpc import ir
from gumpc.plan import PlanNode


def is_shown(node: PlanNode) -> bool:
    """True for what people think of as a step: a boundary that judges nothing is not one."""
    return node.kind in ("agent", "gate") or bool(gate_names(node))


def shown_id(id: str) -> str:
    """The id with `*` where a task stands that is not known yet."""
    return "/".join("*" if segment == ir.EACH else segment for segment in id.split("/"))


def gate_names(node: PlanNode) -> tuple[str, ...]:
    """The names of the node's gates."""
    return () if isinstance(node.step, ir.Call) else tuple(gate.name for gate in node.step.gates)


def step_type(node: PlanNode) -> str:
    """`code`, `split`, … for an agent's step, else the node's kind."""
    return node.step.type if isinstance(node.step, ir.AgentStep) else node.kind


def agent_name(node: PlanNode) -> str:
    """The agent as the workflow names it; empty for a step without one."""
    return next(iter(agent_names(node)), "")


def agent_names(node: PlanNode) -> tuple[str, ...]:
    """The step's agent, then those that a retry puts in its place."""
    if not isinstance(node.step, ir.AgentStep) or node.step.agent is None:
        return ()
    return tuple(_written(agent) for agent in (node.step.agent, *(e.agent for e in node.step.retry.entries)) if agent)


def _written(template: ir.Template) -> str:
    return "".join(part.text if isinstance(part, ir.Text) else f"{{{part.written}}}" for part in template.parts)
