"""Which adapter launches which agent: one explicit table, and the agents of the configuration before it.

An adapter is imported when it is asked for, so a run with one agent does not pay for the parsers of all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gumpc.agent_config import OFFLINE
from gumpc.agent_names import OFFERED, AgentSpec
from gumpc.config_types import Config
from runtime.agents.prices import PRICES, Price
from runtime.agents.protocol import Adapter


class AgentNotOffered(Exception):
    """A known agent that this version has no adapter for; `remedy` says what to do instead."""

    def __init__(self, spec: AgentSpec) -> None:
        super().__init__(f"this version cannot launch `{spec.name}`: it has no adapter for {spec.adapter}")
        self.remedy = (
            f"use one of the agents that it can launch ({', '.join(OFFERED)}), "
            f"or describe the command in [agents.{spec.adapter}] of gump.toml"
        )


def adapter_for(spec: AgentSpec, config: Config) -> Adapter:
    """The adapter that launches `spec`; raises `AgentNotOffered`."""
    prices = prices_of(config)
    if spec.adapter in config.agents and spec.adapter != OFFLINE:
        from runtime.agents.generic import GenericAdapter

        return GenericAdapter(config.agents[spec.adapter], prices=prices)
    make = BUILT_IN.get(spec.adapter)
    if make is None:
        raise AgentNotOffered(spec)
    return make(config, prices)


def prices_of(config: Config) -> Mapping[str, Price]:
    """USD per million tokens by model: the list prices, with the configuration's in their place."""
    own = {model: Price(row.input, row.output, row.cache_read, row.cache_write) for model, row in config.prices.items()}
    return {**PRICES, **own}


def _claude(config: Config, prices: Mapping[str, Price]) -> Adapter:
    from runtime.agents.claude import ClaudeAdapter

    return ClaudeAdapter(prices=prices)


def _offline(config: Config, prices: Mapping[str, Price]) -> Adapter:
    from runtime.agents.offline import OfflineAdapter

    agent = config.agents.get(OFFLINE)
    return OfflineAdapter(agent.script if agent else None)


BUILT_IN: Mapping[str, Callable[[Config, Mapping[str, Price]], Adapter]] = {"claude": _claude, OFFLINE: _offline}
