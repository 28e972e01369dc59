"""Which names are agents: a table of aliases, the vendors' own model ids, and the agents of the configuration.

`check` asks here, so that a misspelt agent is found before anything is paid for. A name that merely begins like one
is not enough: `claude-sonet` must be an error. So an alias is known by its whole name, and a model id by its vendor's
pattern (new versions of a model need no new release of this program). A name is never shortened to get at the model:
`gemini-3.1-pro-preview` is a model's id, not the model `3.1-pro-preview`.

To know a name is not to be able to launch it: `OFFERED` tells which adapters this version has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gumpc.agent_config import OFFLINE
from gumpc.config_types import Config

OFFERED = ("claude", OFFLINE)
"""Built-in adapters that this version can launch; agents of the configuration can be launched too."""


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """An agent: its name as written, the adapter that launches it, and the model to ask for, None for its default.

    `adapter` is a provider of `PROVIDERS`, `offline`, or the name of an agent of the configuration.
    """

    name: str
    adapter: str
    model: str | None


@dataclass(frozen=True, slots=True)
class Provider:
    """One vendor's CLI: aliases with the model that each stands for, and the pattern of its models' full ids."""

    aliases: Mapping[str, str | None]
    model_ids: re.Pattern[str] | None = None


def _ids(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


PROVIDERS: Mapping[str, Provider] = {
    "claude": Provider(
        {
            "claude": None,
            "claude-opus": "opus",
            "claude-sonnet": "sonnet",
            "claude-haiku": "haiku",
            "claude-opusplan": "opusplan",
            "claude-fable": "fable",
            "claude-opus[1m]": "opus[1m]",
            "claude-sonnet[1m]": "sonnet[1m]",
            "claude-haiku-4-5": "claude-haiku-4-5-20251001",
        },
        _ids(r"claude-(opus|sonnet|haiku|fable)(-\d{1,8}){1,3}(\[1m\])?"),
    ),
    "codex": Provider(
        {
            "codex": None,
            "codex-gpt54": "gpt-5.4",
            "codex-gpt54-mini": "gpt-5.4-mini",
            "codex-gpt53": "gpt-5.3-codex",
            "codex-gpt53-spark": "gpt-5.3-codex-spark",
            "codex-gpt52": "gpt-5.2-codex",
            "codex-gpt51-max": "gpt-5.1-codex-max",
            "codex-o3": "o3-codex",
        },
        _ids(r"gpt-\d+(\.\d+)*(-[a-z0-9]+)*"),
    ),
    "gemini": Provider(
        {
            "gemini": None,
            "gemini-flash": "gemini-3-flash",
            "gemini-pro": "gemini-3.1-pro-preview",
            "gemini-flash-lite": "gemini-3.1-flash-lite",
            "gemini-25-pro": "gemini-2.5-pro-preview",
            "gemini-25-flash": "gemini-2.5-flash",
        },
        _ids(r"gemini-\d+(\.\d+)?(-[a-z0-9]+)+"),
    ),
    "qwen": Provider(
        {
            "qwen": None,
            "qwen-coder": "qwen3-coder",
            "qwen-plus": "qwen3-coder-plus",
            "qwen-coder-plus": "qwen3-coder-plus",
            "qwen-local": None,
        },
        _ids(r"qwen\d+(\.\d+)?(-[a-z0-9]+)+"),
    ),
    "opencode": Provider(
        {
            "opencode": None,
            "opencode-opus": "anthropic/claude-opus-4-6",
            "opencode-sonnet": "anthropic/claude-sonnet-4-6",
            "opencode-haiku": "anthropic/claude-haiku-4-5",
            "opencode-gpt54": "openai/gpt-5.4",
            "opencode-gpt53": "openai/gpt-5.3",
            "opencode-gemini": "google/gemini-3.1-pro",
        },
    ),
    "cursor": Provider(
        {
            "cursor": None,
            "cursor-sonnet": "claude-4.6-sonnet-medium",
            "cursor-sonnet-thinking": "sonnet-thinking",
            "cursor-opus": "claude-4.6-opus-high",
            "cursor-opus-thinking": "opus-thinking",
            "cursor-gpt5": "gpt-5.4-medium",
            "cursor-gemini": "gemini-3.1-pro",
        },
    ),
}

_ALIASES = {alias: (name, model) for name, provider in PROVIDERS.items() for alias, model in provider.aliases.items()}
# A model becomes an argument of a command line: it must not look like an option, nor hold what a shell would read.
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+\[\]-]*", re.ASCII)


def resolve_agent(name: str, config: Config) -> AgentSpec | None:
    """The agent that `name` stands for, or None if it is not one.

    The configuration's agents come first. One that has a provider's name takes over all names of that provider, if it
    can be told a model; else it has that one name alone.
    """
    for resolve in (_configured, _offline, _alias, _model_id, _with_provider):
        spec = resolve(name, config)
        if spec is not None:
            return spec if _takes_model(spec, config) else None
    return None


def known_agents(config: Config) -> tuple[str, ...]:
    """Every name that can be listed, for tables and for the nearest to a misspelt one; model ids are open-ended."""
    names = {*config.agents, *_ALIASES, OFFLINE}
    return tuple(name for name in sorted(names) if resolve_agent(name, config))


def _takes_model(spec: AgentSpec, config: Config) -> bool:
    agent = config.agents.get(spec.adapter)
    return spec.model is None or spec.adapter == OFFLINE or agent is None or bool(agent.model_args)


def _configured(name: str, config: Config) -> AgentSpec | None:
    agent = config.agents.get(name)
    if agent is not None and name != OFFLINE:
        return AgentSpec(name, agent.name, agent.model)
    provider, _, model = name.partition("/")
    if provider in config.agents and provider != OFFLINE and _MODEL.fullmatch(model):
        return AgentSpec(name, provider, model)
    return None


def _offline(name: str, config: Config) -> AgentSpec | None:
    if name == OFFLINE:
        return AgentSpec(name, OFFLINE, None)
    model = name.removeprefix(OFFLINE)[1:]
    if name[: len(OFFLINE) + 1] in (f"{OFFLINE}-", f"{OFFLINE}/") and _MODEL.fullmatch(model):
        return AgentSpec(name, OFFLINE, model)
    return None


def _alias(name: str, config: Config) -> AgentSpec | None:
    if name not in _ALIASES:
        return None
    provider, model = _ALIASES[name]
    return AgentSpec(name, provider, model)


def _model_id(name: str, config: Config) -> AgentSpec | None:
    for provider, table in PROVIDERS.items():
        if table.model_ids is not None and table.model_ids.fullmatch(name):
            return AgentSpec(name, provider, name)
    return None


def _with_provider(name: str, config: Config) -> AgentSpec | None:
    provider, _, model = name.partition("/")
    if provider in PROVIDERS and _MODEL.fullmatch(model):
        return AgentSpec(name, provider, model)
    return None
