"""The time, as an interface, so that tests can give a run another one."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall-clock time for records, monotonic time for limits."""

    def now(self) -> datetime:
        """The moment, with a time zone."""
        ...

    def monotonic(self) -> float:
        """Seconds from some fixed point; never goes back."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The moment, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds from some fixed point."""
        return time.monotonic()
