"""The offline agent: a scripted list of edits in an agent's place, for demos, examples and tests without credentials.

It is launched and read like anybody's agent, by the generic adapter and our own line protocol, so what works with it
works with a real one. `offline-NAME` is the offline agent with model NAME, which the script's rules can tell apart.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from gumpc.agent_config import OFFLINE, AgentConfig
from runtime.agents.generic import GenericAdapter
from runtime.agents.protocol import Capabilities, Invocation, Launch, StreamParser

SCRIPT_VARIABLE = "GUMP_OFFLINE_SCRIPT"
_PROGRAM = str(Path(__file__).with_name("offline_agent.py"))
# -I: neither PYTHONPATH nor a module in the agent's directory can change what the program is; -S: it needs no package.
_COMMAND = (sys.executable, "-I", "-S", _PROGRAM)


class OfflineAdapter:
    """Launches `offline_agent.py` with the script of the configuration, or of `GUMP_OFFLINE_SCRIPT` where it is set."""

    name = OFFLINE

    def __init__(self, script: str | None = None) -> None:
        self.capabilities = Capabilities(resume=True, live_usage=True)
        self._script = script
        self._generic = GenericAdapter(
            AgentConfig(
                OFFLINE,
                command=_COMMAND,
                resume=(*_COMMAND, "--session", "{session_id}"),
                model_args=("--model", "{model}"),
                format="jsonl",
            ),
            prices={},
        )

    def find(self, environment: Mapping[str, str]) -> str | None:
        """This interpreter: the program comes with gumpc."""
        return sys.executable

    def remedy(self) -> str:
        """One line that says how to install it."""
        return "install gumpc again: its offline agent is a part of it"

    def invocation(self, launch: Launch, environment: Mapping[str, str]) -> Invocation:
        """The process that carries out `launch`; the script's path is made absolute, as the agent starts elsewhere."""
        plain = self._generic.invocation(launch, environment)
        script = environment.get(SCRIPT_VARIABLE) or self._script
        if not script:
            return plain
        return Invocation(plain.argv, {**plain.environment, SCRIPT_VARIABLE: os.path.abspath(script)}, plain.stdin)

    def parser(self, launch: Launch) -> StreamParser:
        """A parser for one call of it."""
        return self._generic.parser(launch)
