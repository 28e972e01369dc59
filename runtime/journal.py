"""The one door through which a run changes: an event is written to the ledger, then folded, then shown.

"Persist, then act" is a property of this class alone: `append` returns only when the event is on disk, and whoever
acts on the state sees no event that is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from runtime.clock import Clock
from runtime.events import Event, LedgerRepaired, decode, encode
from runtime.ledger import Ledger, Record, read, rfc3339
from runtime.state import RunState

Listener = Callable[[Event, RunState], None]


@dataclass(slots=True)
class Journal:
    """The ledger of a run with the state folded from it."""

    ledger: Ledger
    clock: Clock
    state: RunState = field(default_factory=RunState)
    listeners: list[Listener] = field(default_factory=list)
    seq: int = 0
    faults: list[str] = field(default_factory=list)
    """What listeners failed with; none of them is told of anything after that."""

    @classmethod
    def create(cls, path: Path, clock: Clock) -> Journal:
        """The journal of a new run."""
        return cls(Ledger.create(path), clock)

    @classmethod
    def open(cls, path: Path, clock: Clock) -> Journal:
        """The journal of a run to go on with; a torn last record is set aside, and that is recorded."""
        ledger = Ledger.open(path)
        journal = cls(ledger, clock, fold(ledger.records), seq=len(ledger.records))
        if ledger.repaired:
            repair = ledger.repaired
            journal.append(LedgerRepaired(repair.line, repair.size, repair.aside.name))
        return journal

    def append(self, event: Event) -> None:
        """Make an event true: durable first, then part of the state, then known to the listeners.

        A listener that fails (a display whose pipe is closed) is not asked again; the run goes on without it.
        """
        ts = rfc3339(self.clock.now())
        self.seq = self.ledger.append(event.type, encode(event), ts=ts).seq
        # The moment as it is on record, whose digits are fewer than the clock's.
        self.state.apply(event, at_ms=milliseconds(datetime.fromisoformat(ts)))
        for listener in tuple(self.listeners):
            try:
                listener(event, self.state)
            except Exception as error:  # whatever it is, what people see must not decide what becomes of a run
                self.listeners.remove(listener)
                self.faults.append(f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Let go of the ledger and its lock."""
        self.ledger.close()


def fold(records: tuple[Record, ...]) -> RunState:
    """The state that a ledger's records amount to; records of unknown types are passed over."""
    state = RunState()
    for record in records:
        event = decode(record.type, record.fields)
        if event is not None:
            state.apply(event, at_ms=milliseconds(datetime.fromisoformat(record.ts)))
    return state


def load(path: Path) -> RunState:
    """The state of a run that another process may be working on."""
    return fold(read(path))


def milliseconds(moment: datetime) -> int:
    """A moment as milliseconds since 1970."""
    return round(moment.timestamp() * 1000)
