"""What a configuration holds, with its defaults: one dataclass per table of `gump.toml`, and `Config` over them.

How the values are read, and from where, is `gumpc.config`; the defaults stand here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from gumpc.agent_config import AgentConfig

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Validation:
    """Commands of the gates, None when they are to be found by the project's markers; `timeout` in seconds."""

    compile_cmd: str | None = None
    test_cmd: str | None = None
    lint_cmd: str | None = None
    coverage_cmd: str | None = None
    timeout: float = 600.0

    @property
    def commands(self) -> Mapping[str, str]:
        """The commands that are given, by their keys."""
        keys = ("compile_cmd", "test_cmd", "lint_cmd", "coverage_cmd")
        return {key: command for key in keys if (command := getattr(self, key))}


@dataclass(frozen=True, slots=True)
class Budget:
    """`max_budget` in USD for a run whose workflow gives none; None is no limit."""

    max_budget: float | None = None


@dataclass(frozen=True, slots=True)
class ErrorContext:
    """How many characters of `{error}` and `{diff}` a prompt gets."""

    max_error_chars: int = 2000
    max_diff_chars: int = 3000


@dataclass(frozen=True, slots=True)
class Display:
    """`color` false turns colours off; true leaves it to the terminal and `NO_COLOR`."""

    verbose: bool = False
    color: bool = True


@dataclass(frozen=True, slots=True)
class Cache:
    """Whether stored results are used, and whether a stored patch may be moved onto another tree."""

    enabled: bool = True
    reuse: Literal["exact", "rebase"] = "exact"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """`write` holds further paths that agents may write to."""

    mode: Literal["auto", "require", "off"] = "auto"
    network: bool = True
    write: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Secrets:
    """`names` of environment variables that agents get and that are redacted everywhere."""

    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens; None where the price of cached tokens is not known."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None


def _no_rows() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Config:
    """Every value in force; `sources` tells for each dotted key that was given where: a file, or a variable."""

    default_agent: str = "claude-sonnet"
    validation: Validation = Validation()
    budget: Budget = Budget()
    error_context: ErrorContext = ErrorContext()
    display: Display = Display()
    cache: Cache = Cache()
    sandbox: Sandbox = Sandbox()
    secrets: Secrets = Secrets()
    prices: Mapping[str, Price] = field(default_factory=_no_rows)
    agents: Mapping[str, AgentConfig] = field(default_factory=_no_rows)
    sources: Mapping[str, str] = field(default_factory=_no_rows)

    def source(self, key: str) -> str:
        """Where the value of a dotted key comes from: a file, a variable, or `default`."""
        return self.sources.get(key, DEFAULT)
