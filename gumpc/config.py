"""The active configuration: defaults, the user's file, the project's file and `GUMP_*` variables, later ones winning.

A key that nobody knows and a value of the wrong type are errors with their place, never ignored: a misspelt
`test_cmd` that is dropped in silence is a gate that tests nothing. `check` reads the configuration too, so this is
the standard library alone, and a repository without any config text pays for no TOML reader.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gumpc.agent_config import AgentConfig, AgentFault, read_agent
from gumpc.config_kinds import (
    BUDGET,
    COMMAND,
    COUNT,
    DURATION,
    SWITCH,
    TEXT,
    TEXTS,
    VARIABLES,
    Kind,
    Unfit,
    accept_price,
    one_of,
    shown,
)
from gumpc.config_types import (
    Budget,
    Cache,
    Config,
    Display,
    ErrorContext,
    Price,
    Sandbox,
    Secrets,
    Validation,
)
from gumpc.nearest import nearest
from gumpc.toml_text import Table, TomlError, line_of, read_table

__all__ = ["KEYS", "OTHER_VARIABLES", "Config", "ConfigError", "Key", "Price", "find", "load"]

PROJECT_FILE = "gump.toml"
USER_FILE = ".gump/config.toml"
ENVIRONMENT = "environment"


class ConfigError(Exception):
    """What is wrong with the configuration, and where; `line` is None when it can't be told, or of a variable."""

    def __init__(self, file: str, line: int | None, key: str, message: str) -> None:
        super().__init__(file, line, key, message)
        self.file = file
        self.line = line
        self.key = key
        self.message = message

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its dotted name, the variable that overrides it, and what it may hold."""

    name: str
    variable: str
    kind: Kind


KEYS: tuple[Key, ...] = (
    Key("default_agent", "GUMP_DEFAULT_AGENT", TEXT),
    Key("validation.compile_cmd", "GUMP_VALIDATION_COMPILE_CMD", COMMAND),
    Key("validation.test_cmd", "GUMP_VALIDATION_TEST_CMD", COMMAND),
    Key("validation.lint_cmd", "GUMP_VALIDATION_LINT_CMD", COMMAND),
    Key("validation.coverage_cmd", "GUMP_VALIDATION_COVERAGE_CMD", COMMAND),
    Key("validation.timeout", "GUMP_VALIDATION_TIMEOUT", DURATION),
    Key("budget.max_budget", "GUMP_BUDGET_MAX_BUDGET", BUDGET),
    Key("error_context.max_error_chars", "GUMP_ERROR_CONTEXT_MAX_ERROR_CHARS", COUNT),
    Key("error_context.max_diff_chars", "GUMP_ERROR_CONTEXT_MAX_DIFF_CHARS", COUNT),
    Key("display.verbose", "GUMP_DISPLAY_VERBOSE", SWITCH),
    Key("display.color", "GUMP_DISPLAY_COLOR", SWITCH),
    Key("cache.enabled", "GUMP_CACHE_ENABLED", SWITCH),
    Key("cache.reuse", "GUMP_CACHE_REUSE", one_of("exact", "rebase")),
    Key("sandbox.mode", "GUMP_SANDBOX_MODE", one_of("auto", "require", "off")),
    Key("sandbox.network", "GUMP_SANDBOX_NETWORK", SWITCH),
    Key("sandbox.write", "GUMP_SANDBOX_WRITE", TEXTS),
    Key("secrets.names", "GUMP_SECRETS_NAMES", VARIABLES),
)
OTHER_VARIABLES = ("GUMP_OFFLINE_SCRIPT", "GUMP_OFFLINE_SPEED")
"""Variables that begin like configuration and are read elsewhere: by the offline agent."""

_SECTIONS: dict[str, Callable[..., Any]] = {
    "validation": Validation,
    "budget": Budget,
    "error_context": ErrorContext,
    "display": Display,
    "cache": Cache,
    "sandbox": Sandbox,
    "secrets": Secrets,
}
_PRICE_KEYS = ("input", "output", "cache_read", "cache_write")


@dataclass(slots=True)
class _Layers:
    """What the layers have said so far, by dotted key, and which layer said it last."""

    values: dict[str, Any] = field(default_factory=dict)
    prices: dict[str, Price] = field(default_factory=dict)
    agents: dict[str, AgentConfig] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


def load(
    *,
    project: str | None,
    user: str | None,
    environment: Mapping[str, str],
    project_file: str = PROJECT_FILE,
    user_file: str = f"~/{USER_FILE}",
) -> Config:
    """The configuration in force, of two TOML texts (None: there is no such file) and the environment.

    The file names are for messages and `sources`; relative paths in a file are taken from that file's folder. A table
    of `[agents]` or `[prices]` replaces an earlier one of the same name as a whole. Raises `ConfigError`.
    """
    layers = _Layers()
    for text, file in ((user, user_file), (project, project_file)):
        if text and text.strip():
            _FileLayer(file, text).read_into(layers)
    _read_environment(environment, layers)
    return _config(layers)


def find(root: Path | None, home: Path, *, environment: Mapping[str, str]) -> Config:
    """`load` on the files of a repository (None: outside of one) and of a user's home directory."""
    project = root / PROJECT_FILE if root else None
    user = home / USER_FILE
    return load(
        project=_text_of(project) if project else None,
        user=_text_of(user),
        environment=environment,
        project_file=str(project or PROJECT_FILE),
        user_file=str(user),
    )


def _text_of(file: Path) -> str | None:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as error:
        raise ConfigError(str(file), None, "", "the file is not UTF-8 text") from error
    except OSError as error:
        raise ConfigError(str(file), None, "", f"the file cannot be read: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class _FileLayer:
    """One file's text, on its way into the layers."""

    file: str
    text: str

    def read_into(self, layers: _Layers) -> None:
        table = self._table()
        for path, value in self._leaves(table):
            self._read_key(path, value, layers)
        for model, row in self._rows(table, "prices"):
            layers.prices[model] = self._price(model, row)
            layers.sources[f"prices.{model}"] = self.file
        for name, row in self._rows(table, "agents"):
            layers.agents[name] = self._agent(name, row)
            layers.sources[f"agents.{name}"] = self.file

    def _table(self) -> Table:
        try:
            return read_table(self.text)
        except TomlError as error:
            raise ConfigError(self.file, error.line, "", f"this is not TOML: {error.message}") from error

    def _leaves(self, table: Table) -> Iterator[tuple[tuple[str, ...], object]]:
        for name, value in table.items():
            if name in _SECTIONS:
                if not isinstance(value, dict):
                    raise self._fault((name,), f"expected a table, not {shown(value)}")
                yield from (((name, key), inner) for key, inner in value.items())
            elif name not in ("prices", "agents"):
                yield (name,), value

    def _read_key(self, path: tuple[str, ...], value: object, layers: _Layers) -> None:
        key = _BY_PATH.get(path)
        if key is None:
            raise self._fault(path, _unknown(path))
        try:
            layers.values[key.name] = key.kind.accept(value)
        except Unfit as unfit:
            raise self._fault(path, str(unfit)) from unfit
        layers.sources[key.name] = self.file

    def _rows(self, table: Table, section: str) -> Iterator[tuple[str, object]]:
        rows = table.get(section, {})
        if not isinstance(rows, dict):
            raise self._fault((section,), f"expected a table, not {shown(rows)}")
        yield from rows.items()

    def _price(self, model: str, row: object) -> Price:
        path = ("prices", model)
        if not isinstance(row, dict):
            raise self._fault(path, f"expected a table, not {shown(row)}")
        for key in row:
            if key not in _PRICE_KEYS:
                raise self._fault((*path, key), _suggest(key, _PRICE_KEYS))
        for key in _PRICE_KEYS[:2]:
            if key not in row:
                raise self._fault(path, f"`{key}` is missing: USD per million tokens")
        return Price(**{key: self._accept_price((*path, key), value) for key, value in row.items()})

    def _accept_price(self, path: tuple[str, ...], value: object) -> float:
        try:
            return accept_price(value)
        except Unfit as unfit:
            raise self._fault(path, str(unfit)) from unfit

    def _agent(self, name: str, row: object) -> AgentConfig:
        try:
            return read_agent(name, row, folder=os.path.dirname(self.file))
        except AgentFault as fault:
            path = ("agents", name, fault.key) if fault.key else ("agents", name)
            raise self._fault(path, fault.message) from fault

    def _fault(self, path: tuple[str, ...], message: str) -> ConfigError:
        return ConfigError(self.file, line_of(self.text, path), ".".join(path), message)


def _unknown(path: tuple[str, ...]) -> str:
    if len(path) > 1:
        return _suggest(path[-1], tuple(key.name.split(".")[1] for key in KEYS if key.name.startswith(f"{path[0]}.")))
    return _suggest(path[0], ("default_agent", *_SECTIONS, "prices", "agents"))


def _suggest(word: str, allowed: tuple[str, ...]) -> str:
    close = nearest(word, allowed)
    return f"unknown key; did you mean `{close}`?" if close else f"unknown key; allowed are {', '.join(allowed)}"


def _read_environment(environment: Mapping[str, str], layers: _Layers) -> None:
    for variable in sorted(name for name in environment if name.startswith("GUMP_")):
        if variable in OTHER_VARIABLES:
            continue
        key = _BY_VARIABLE.get(variable)
        if key is None:
            raise ConfigError(ENVIRONMENT, None, variable, _unknown_variable(variable))
        try:
            layers.values[key.name] = key.kind.accept(key.kind.from_text(environment[variable]))
        except Unfit as unfit:
            raise ConfigError(ENVIRONMENT, None, variable, str(unfit)) from unfit
        layers.sources[key.name] = variable


def _unknown_variable(variable: str) -> str:
    close = nearest(variable, (*_BY_VARIABLE, *OTHER_VARIABLES))
    hint = f"did you mean `{close}`?" if close else "variables that begin with GUMP_ are configuration"
    return f"unknown variable; {hint}"


def _config(layers: _Layers) -> Config:
    sections: dict[str, dict[str, Any]] = {name: {} for name in _SECTIONS}
    plain: dict[str, Any] = {}
    for name, value in layers.values.items():
        section, dot, key = name.partition(".")
        (sections[section] if dot else plain)[key if dot else name] = value
    return Config(
        **plain,
        **{name: make(**sections[name]) for name, make in _SECTIONS.items()},
        prices=MappingProxyType(layers.prices),
        agents=MappingProxyType(layers.agents),
        sources=MappingProxyType(layers.sources),
    )


_BY_PATH = {tuple(key.name.split(".")): key for key in KEYS}
_BY_VARIABLE = {key.variable: key for key in KEYS}
