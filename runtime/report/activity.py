"""What an agent is doing, in two or three words, from the events of its stream."""

from __future__ import annotations

from runtime.agents.protocol import AgentEvent, Failed, Said, ToolUsed, Turn, Wrote
from runtime.report.columns import clean, clip

LONGEST = 48

_THINKING = {"code": "coding", "split": "planning", "validate": "reviewing", "artifact": "writing"}


def activity_of(event: AgentEvent, step_type: str) -> str:
    """The words for one event; empty when it says nothing about what the agent does."""
    match event:
        case ToolUsed(command=command) if command:
            return _short(f"running {command}")
        case ToolUsed(path=path) if path:
            return _short(f"writing {path}")
        case ToolUsed(name=name):
            return _short(f"using {name}")
        case Wrote(path=path):
            return _short(f"writing {path}")
        case Failed(kind=kind, fatal=False):
            return f"waiting: {kind.replace('_', ' ')}"
        case Turn() | Said():
            return _THINKING.get(step_type, "working")
        case _:
            return ""


def _short(text: str) -> str:
    return clip(" ".join(clean(text).split()), LONGEST)
