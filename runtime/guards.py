"""Live limits on one agent call, judged from its events and the clock, knowing no CLI.

A guard is a brake, not the verdict: an agent may write through its shell without an event, so what it changed is
judged from the tree afterwards. Limits of the whole run are watched here too, since money is spent while an agent runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gumpc.ir import Guard
from runtime.agents.protocol import AgentEvent, Finished, Spent, Turn, Usage, Wrote

OUTPUT_FOLDER = ".gump/out/"


@dataclass(frozen=True, slots=True)
class Trip:
    """A limit that was passed. `scope` is `attempt` or `run`."""

    guard: str
    reason: str
    scope: str = "attempt"
    limit: float = 0.0
    spent: float = 0.0


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What is left of the run's limits when a call begins: USD, seconds, tokens; None for no limit."""

    budget: float | None = None
    seconds: float | None = None
    tokens: int | None = None


@dataclass(slots=True)
class Guards:
    """Watches one call; `feed` and `tick` give the first limit that is passed, and keep giving it."""

    guard: Guard
    run: RunLimits = RunLimits()
    turns: int = 0
    usage: Usage = field(default_factory=Usage)
    cost: float | None = None
    trip: Trip | None = None

    def feed(self, event: AgentEvent) -> Trip | None:
        """Take one event of the call in."""
        match event:
            case Turn():
                self.turns += 1
                self._limit("max_turns", self.guard.max_turns, self.turns, "turns")
            case Spent(usage=usage, cost=cost) | Finished(usage=usage, cost=cost):
                self.usage, self.cost = usage, cost
                self._spent()
            case Wrote(path=path) if self.guard.no_write and not path.startswith(OUTPUT_FOLDER):
                self._stop(Trip("no_write", f"it wrote `{path}`, and this step may not write"))
            case _:
                pass
        return self.trip

    def tick(self, elapsed: float) -> Trip | None:
        """Look at the clock: seconds since the call began."""
        self._limit("max_time", self.guard.max_time, elapsed, "s")
        self._limit("max_timeout", self.run.seconds, elapsed, "s", scope="run")
        return self.trip

    def _spent(self) -> None:
        self._limit("max_tokens", self.guard.max_tokens, self.usage.total, "tokens")
        self._limit("max_tokens", self.run.tokens, self.usage.total, "tokens", scope="run")
        if self.cost is not None:
            self._limit("max_budget", self.guard.max_budget, self.cost, "USD")
            self._limit("max_budget", self.run.budget, self.cost, "USD", scope="run")

    def _limit(self, name: str, limit: float | None, value: float, unit: str, *, scope: str = "attempt") -> None:
        if limit is None or value <= limit:
            return
        what = "the run's" if scope == "run" else "its"
        shown = f"{value:.2f} of {limit:.2f}" if unit in ("USD", "s") else f"{value:.0f} of {limit:.0f}"
        self._stop(Trip(name, f"{what} {name} was passed: {shown} {unit}", scope, limit, value))

    def _stop(self, trip: Trip) -> None:
        self.trip = self.trip or trip
