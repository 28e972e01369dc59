"""G501: every agent that is written out must be one that the alias table or the config knows."""

from __future__ import annotations

from gumpc import ir, walk
from gumpc.agent_names import known_agents, resolve_agent
from gumpc.diagnostics import Collector
from gumpc.nearest import nearest
from gumpc.rules.world import World


def check(step: ir.Step, world: World, collector: Collector) -> None:
    """Report each literal agent name that nobody knows."""
    for agent in walk.agents(step):
        name = walk.literal(agent)
        if name is None or resolve_agent(name, world.config) is not None:
            continue
        known = known_agents(world.config)
        close = nearest(name, known)
        collector.add(
            "G501",
            f"there is no agent `{name}`",
            agent.span,
            label=f"did you mean `{close}`?" if close else "unknown agent",
            help=f"known agents include: {', '.join(known[:12])}; add others as [agents.NAME] in gump.toml",
        )
