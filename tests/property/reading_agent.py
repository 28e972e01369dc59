"""A fake agent whose work depends on everything that it could read, and on nothing else.

It is deterministic: the same prompt, files, session, model and settings lead to the same work. So two runs may differ
only where one of them used a stored result that it should not have used.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from gumpc.agent_names import AgentSpec
from gumpc.config_types import Config
from runtime.agents.protocol import AgentEvent, Capabilities, Finished, Invocation, Launch, Outcome, SessionSeen, Usage

USAGE = Usage(10, 5)


@dataclass(slots=True)
class Memory:
    """What outlives a call: sessions by id, how many calls there were, and the own files as the run found them."""

    sessions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    calls: int = 0
    own_files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class ReadingAgent:
    """The adapter. The work is done when it is launched; the process that follows does nothing."""

    memory: Memory
    settings: str
    name: str = "reading"
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(resume=True))

    def find(self, environment: Mapping[str, str]) -> str | None:
        return "true"

    def remedy(self) -> str:
        return ""

    def invocation(self, launch: Launch, environment: Mapping[str, str]) -> Invocation:
        self.memory.calls += 1
        history = self.memory.sessions[launch.session_id] if launch.session_id else ()
        folder = Path(launch.directory)
        seen = [launch.prompt, *files_in(folder, self.memory.own_files), *history, launch.model or "", self.settings]
        thought = int(sha256("\0".join(seen).encode()).hexdigest(), 16)
        session = launch.session_id if launch.session_id and not launch.fork else uuid.uuid4().hex
        self.memory.sessions[session] = (*history, f"{thought:x}")
        work(folder, launch.prompt, thought)
        return Invocation(("true", session), environment, b"")

    def parser(self, launch: Launch) -> Parser:
        return Parser(next(reversed(self.memory.sessions)))


@dataclass(slots=True)
class Parser:
    session: str

    def feed(self, line: bytes) -> Iterable[AgentEvent]:
        return (SessionSeen(self.session), Finished("", USAGE, 0.01))

    def outcome(self, *, exit_code: int | None, stderr: str) -> Outcome:
        assert exit_code == 0, stderr
        return Outcome(session_id=self.session, turns=1, usage=USAGE, cost=0.01)


def adapters(memory: Memory):
    """What launches agents in a run with this memory."""

    def adapter(spec: AgentSpec, config: Config) -> ReadingAgent:
        configured = config.agents.get(spec.adapter)
        settings = (
            f"{spec.adapter} {configured.env if configured else ''} {configured.model_args if configured else ''}"
        )
        return ReadingAgent(memory, settings)

    return adapter


def files_in(folder: Path, own_files: Mapping[str, bytes]) -> Iterable[str]:
    """Names and contents of what an agent may depend on: an own file only where the run has changed it."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name.startswith((".gump", ".git")) or not path.is_file():
            continue
        content = path.read_bytes()
        if name not in own_files or content != own_files[name]:
            yield f"{name}={content.decode()}"
    yield from (f"{name} is gone" for name in own_files if not (folder / name).exists())


def work(folder: Path, prompt: str, thought: int) -> None:
    """Do what the rules at the prompt's end ask for; few different outcomes, so that equal ones are common."""
    if "plan.json" in prompt:
        names = ["one", "two"][: 1 + thought % 2]
        tasks = [{"name": name, "description": f"{name} {thought // 2 % 3}"} for name in names]
        (folder / ".gump/out/plan.json").write_text(json.dumps(tasks))
    elif "validate.json" in prompt:
        verdict = {"pass": thought % 2 > 0, "comments": f"comment {thought // 2 % 3}"}
        (folder / ".gump/out/validate.json").write_text(json.dumps(verdict))
    elif "artifact.txt" in prompt:
        (folder / ".gump/out/artifact.txt").write_text(f"artifact {thought % 3}")
    else:
        write_code(folder, thought)


def write_code(folder: Path, thought: int) -> None:
    name, mood = f"f{thought % 3}.txt", thought // 3 % 12
    if mood == 0:
        (folder / name).unlink(missing_ok=True)
    elif mood < 3:
        (folder / "spec.md").write_text(f"rewritten {thought // 36 % 2}\n")
    elif mood < 5:
        (folder / "gump.toml").unlink(missing_ok=True)
    elif mood == 5:
        (folder / name).write_text(f"{thought:x}\n")
    else:
        (folder / name).write_text(f"{'bad' if mood < 9 else 'good'} {thought // 36 % 2}\n")
