"""`[agents.NAME]` tables: agents that a configuration adds or replaces, as the generic adapter will launch them.

What this version of the compiler cannot carry out (other ways to pass the prompt, other stream formats) is refused
here by name instead of being read and forgotten.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from gumpc.config_kinds import Unfit, accept_text, accept_texts, accept_variables, shown
from gumpc.nearest import nearest

OFFLINE = "offline"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_RESERVED = ("pass",)
_NOT_YET = ("kind", "modes", "cwd", "context_file", "limits", "rules", "errors")


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """One agent of the configuration.

    `resume` is the argument vector that goes on in `{session_id}`, empty when it can't; `model_args` are added when
    there is a model, with `{model}` replaced; `model` is the model when a workflow names none. `env` and `unset_env`
    change the agent's environment. `script` belongs to the offline agent alone.
    """

    name: str
    command: tuple[str, ...] = ()
    resume: tuple[str, ...] = ()
    model_args: tuple[str, ...] = ()
    model: str | None = None
    prompt: Literal["stdin"] = "stdin"
    format: Literal["text", "jsonl"] = "text"
    env: tuple[tuple[str, str], ...] = ()
    unset_env: tuple[str, ...] = ()
    script: str | None = None


class AgentFault(Exception):
    """A fault in one agent's table; `key` is empty when it is the table's own."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key
        self.message = message


def read_agent(name: str, table: object, *, folder: str) -> AgentConfig:
    """The agent that `table` describes; raises `AgentFault`.

    `folder` is where the configuration file lies: relative paths in it are taken from there, so that they mean the
    same whatever directory the agent is started in.
    """
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise AgentFault("", f"`{name}` cannot be the name of an agent")
    if not isinstance(table, dict):
        raise AgentFault("", f"expected a table, not {shown(table)}")
    agent = AgentConfig(name, **{key: _read(key, value, _readers(name)) for key, value in table.items()})
    return _rooted(_complete(agent), folder)


def _readers(name: str) -> Mapping[str, Callable[[object], Any]]:
    return _OFFLINE_READERS if name == OFFLINE else _READERS


def _read(key: str, value: object, readers: Mapping[str, Callable[[object], Any]]) -> Any:
    if key not in readers:
        raise AgentFault(key, _unknown(key, readers))
    try:
        return readers[key](value)
    except Unfit as unfit:
        raise AgentFault(key, str(unfit)) from unfit


def _unknown(key: str, readers: Mapping[str, object]) -> str:
    if key in _NOT_YET:
        return "this key is not offered by this version"
    close = nearest(key, readers)
    return f"unknown key; did you mean `{close}`?" if close else f"unknown key; allowed are {', '.join(readers)}"


def _complete(agent: AgentConfig) -> AgentConfig:
    """`agent`, when its parts fit together."""
    if agent.name != OFFLINE and not agent.command:
        raise AgentFault("", "an agent needs `command`, a list such as ['mytool', '--json']")
    for key, argv in (("command", agent.command), ("resume", agent.resume), ("model_args", agent.model_args)):
        for placeholder, allowed in _PLACEHOLDERS.items():
            if key not in allowed and any(placeholder in part for part in argv):
                raise AgentFault(key, _misplaced(placeholder, allowed))
    if agent.resume and not any("{session_id}" in part for part in agent.resume):
        raise AgentFault("resume", "expected `{session_id}` in one of the arguments")
    if agent.resume and agent.format == "text":
        raise AgentFault("resume", 'a session needs format = "jsonl": a text tells no session id')
    if agent.model_args and not any("{model}" in part for part in agent.model_args):
        raise AgentFault("model_args", "expected `{model}` in one of the arguments")
    if agent.model and not agent.model_args:
        raise AgentFault("model", "a model needs `model_args`, such as ['--model', '{model}']")
    return agent


def _misplaced(placeholder: str, allowed: tuple[str, ...]) -> str:
    if not allowed:
        return f"`{placeholder}` is not offered by this version: the prompt goes to standard input"
    return f"`{placeholder}` belongs into `{allowed[0]}`"


def _rooted(agent: AgentConfig, folder: str) -> AgentConfig:
    return replace(
        agent,
        command=_program_from(agent.command, folder),
        resume=_program_from(agent.resume, folder),
        script=os.path.join(folder, agent.script) if agent.script else None,
    )


def _program_from(argv: tuple[str, ...], folder: str) -> tuple[str, ...]:
    """`argv` with a program that is given as a path, not as a name, taken from `folder`."""
    return (os.path.join(folder, argv[0]), *argv[1:]) if argv and "/" in argv[0] else argv


def _offered(offered: tuple[str, ...], later: tuple[str, ...]) -> Callable[[object], str]:
    def accept(value: object) -> str:
        if value in later:
            raise Unfit(f"{shown(value)} is not offered by this version, only {' and '.join(offered)}")
        if not isinstance(value, str) or value not in offered:
            raise Unfit(f"expected {' or '.join(offered)}, not {shown(value)}")
        return value

    return accept


def _accept_argv(value: object) -> tuple[str, ...]:
    argv = accept_texts(value)
    if not argv:
        raise Unfit("expected at least one argument")
    return argv


def _accept_env(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not all(isinstance(text, str) and "\0" not in text for text in value.values()):
        raise Unfit('expected a table of texts, such as { MYTOOL_COLOR = "never" }')
    accept_variables(list(value))
    return tuple(sorted(value.items()))


_PLACEHOLDERS: dict[str, tuple[str, ...]] = {
    "{model}": ("model_args",),
    "{session_id}": ("resume",),
    "{prompt_file}": (),
}
_READERS: dict[str, Callable[[object], Any]] = {
    "command": _accept_argv,
    "resume": _accept_argv,
    "model_args": _accept_argv,
    "model": accept_text,
    "prompt": _offered(("stdin",), ("arg", "file")),
    "format": _offered(("text", "jsonl"), ("claude", "codex", "gemini", "qwen", "opencode", "cursor", "json")),
    "env": _accept_env,
    "unset_env": accept_variables,
}
_OFFLINE_READERS: dict[str, Callable[[object], Any]] = {"script": accept_text}
