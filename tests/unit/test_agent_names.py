from __future__ import annotations

import pytest

from gumpc.agent_names import OFFERED, PROVIDERS, AgentSpec, known_agents, resolve_agent
from gumpc.config import Config, load
from gumpc.nearest import nearest

PLAIN = Config()


def configured(text: str) -> Config:
    return load(project=text, user=None, environment={})


@pytest.mark.parametrize(
    ("name", "adapter", "model"),
    [
        ("claude", "claude", None),
        ("claude-opus", "claude", "opus"),
        ("claude-sonnet", "claude", "sonnet"),
        ("claude-haiku", "claude", "haiku"),
        ("claude-opusplan", "claude", "opusplan"),
        ("claude-fable", "claude", "fable"),
        ("claude-opus[1m]", "claude", "opus[1m]"),
        ("claude-opus-5-5", "claude", "claude-opus-5-5"),
        ("claude-sonnet-5", "claude", "claude-sonnet-5"),
        ("claude-haiku-4-5", "claude", "claude-haiku-4-5-20251001"),
        ("claude-haiku-4-5-20251001", "claude", "claude-haiku-4-5-20251001"),
        ("claude/opus", "claude", "opus"),
        ("codex", "codex", None),
        ("codex-gpt53", "codex", "gpt-5.3-codex"),
        ("gpt-5.5", "codex", "gpt-5.5"),
        ("codex/gpt-5.5", "codex", "gpt-5.5"),
        ("gemini-pro", "gemini", "gemini-3.1-pro-preview"),
        ("gemini-3.1-pro-preview", "gemini", "gemini-3.1-pro-preview"),
        ("qwen-local", "qwen", None),
        ("qwen3-coder-plus", "qwen", "qwen3-coder-plus"),
        ("opencode-opus", "opencode", "anthropic/claude-opus-4-6"),
        ("opencode/anthropic/claude-sonnet-5-5", "opencode", "anthropic/claude-sonnet-5-5"),
        ("cursor-gpt5", "cursor", "gpt-5.4-medium"),
        ("offline", "offline", None),
        ("offline-small", "offline", "small"),
        ("offline-a-b", "offline", "a-b"),
        ("offline/large", "offline", "large"),
    ],
)
def test_a_name_stands_for_an_adapter_and_a_model(name: str, adapter: str, model: str | None) -> None:
    assert resolve_agent(name, PLAIN) == AgentSpec(name, adapter, model)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "pass",
        "claude-",
        "claude/",
        "claude-sonet",
        "claude-opus-latest",
        "claude-opus-5-5x",
        "Claude",
        "claude ",
        "claude/--dangerous",
        "claude/a b",
        "gpt",
        "gemini-3",
        "codex-gpt99",
        "offline-",
        "offlinex",
        "offline--x",
        "acme/model",
        "claude-opus-٥",
    ],
)
def test_anything_else_is_no_agent(name: str) -> None:
    assert resolve_agent(name, PLAIN) is None


def test_a_misspelt_name_has_a_nearest_one() -> None:
    assert nearest("claude-sonet", known_agents(PLAIN)) == "claude-sonnet"
    assert nearest("mytol", known_agents(configured('[agents.mytool]\ncommand = ["x"]'))) == "mytool"


def test_every_known_name_resolves() -> None:
    config = configured('[agents.a]\ncommand = ["x"]\n[agents.codex]\ncommand = ["y"]\n[agents.offline]\nscript = "s"')
    names = known_agents(config)
    assert {"a", "codex", "offline", "claude-opus"} <= set(names)
    assert "codex-gpt54" not in names
    assert all(resolve_agent(name, config) for name in names)
    assert list(names) == sorted(set(names))


def test_an_agent_of_the_config_has_its_own_model_or_the_one_that_is_written() -> None:
    config = configured('[agents.a]\ncommand = ["x"]\nmodel_args = ["-m", "{model}"]\nmodel = "m1"')
    assert resolve_agent("a", config) == AgentSpec("a", "a", "m1")
    assert resolve_agent("a/m2", config) == AgentSpec("a/m2", "a", "m2")
    assert resolve_agent("a/-m2", config) is None
    without = configured('[agents.a]\ncommand = ["x"]')
    assert resolve_agent("a", without) == AgentSpec("a", "a", None)
    assert resolve_agent("a/m2", without) is None


def test_a_table_with_a_providers_name_takes_over_the_provider() -> None:
    config = configured('[agents.codex]\ncommand = ["x"]\nmodel_args = ["-m", "{model}"]')
    assert resolve_agent("codex-gpt54", config) == AgentSpec("codex-gpt54", "codex", "gpt-5.4")
    assert resolve_agent("gpt-5.5", config) == AgentSpec("gpt-5.5", "codex", "gpt-5.5")
    without = configured('[agents.codex]\ncommand = ["x"]')
    assert resolve_agent("codex", without) == AgentSpec("codex", "codex", None)
    assert resolve_agent("codex-gpt54", without) is None


def test_aliases_belong_to_one_provider_and_what_is_offered_exists() -> None:
    aliases = [alias for provider in PROVIDERS.values() for alias in provider.aliases]
    assert len(aliases) == len(set(aliases))
    assert set(OFFERED) <= {*PROVIDERS, "offline"}
