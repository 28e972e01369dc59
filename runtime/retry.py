"""What changes from one attempt to the next: the retry policy as a pure function of how the attempts before failed.

Entries whose condition holds apply in order, later ones winning key by key, on top of what was already in force,
because overrides are sticky. The same function answers whether a stored result that took several attempts would have
been prompted in the same way today.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gumpc.ir import RetryEntry, RetryPolicy, Template


@dataclass(frozen=True, slots=True)
class Failure:
    """How an attempt failed: `gate`, `guard`, `verdict` or `agent`, and the gates that did not pass."""

    kind: str
    gates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Overrides:
    """What is in force for an attempt in place of the step's own."""

    agent: Template | None = None
    session: str = ""
    reset: bool = False
    prompt: Template | None = None

    def described(self) -> dict[str, str]:
        """The overrides as short texts for the ledger and for people."""
        given = {
            "agent": _text(self.agent),
            "session": self.session,
            "worktree": "reset" if self.reset else "",
            "prompt": "changed" if self.prompt else "",
        }
        return {name: text for name, text in given.items() if text}


def has_next(policy: RetryPolicy, made: int) -> bool:
    """True when another attempt may follow after `made` ones."""
    return made < policy.attempts


def overrides_for(policy: RetryPolicy, failures: Sequence[Failure]) -> Overrides:
    """The overrides of the attempt that follows after these failed ones (attempt 1 when there are none)."""
    overrides = Overrides()
    for number, failure in enumerate(failures, 2):
        for entry in policy.entries:
            if _holds(entry, number, failure):
                overrides = _apply(overrides, entry)
    return overrides


def _holds(entry: RetryEntry, number: int, before: Failure) -> bool:
    match entry.condition:
        case "attempt":
            return number >= entry.count
        case "not":
            return entry.gate in before.gates
        case "on":
            return entry.gate == before.kind
        case _:
            return False


def _apply(overrides: Overrides, entry: RetryEntry) -> Overrides:
    return replace(
        overrides,
        agent=entry.agent or overrides.agent,
        session=entry.session or overrides.session,
        reset=entry.reset or overrides.reset,
        prompt=entry.prompt or overrides.prompt,
    )


def _text(template: Template | None) -> str:
    if template is None:
        return ""
    return "".join(getattr(part, "text", getattr(part, "written", "")) for part in template.parts)
