"""Usage so far of a call, added up message by message; telling a message again never counts it twice.

A CLI may print a message's usage with each of its content blocks, first with the tokens known at its start and at the
end with all of them. Counters only grow, so the largest of each is kept. This is what is reported for a call that was
killed, when no total ever came.
"""

from __future__ import annotations

from collections.abc import Mapping

from runtime.agents.prices import Price, cost
from runtime.agents.protocol import Usage


class Meter:
    """The running total over messages; `prices` are USD per million tokens by model."""

    def __init__(self, prices: Mapping[str, Price]) -> None:
        self._prices = prices
        self._messages: dict[str, tuple[str, Usage]] = {}
        self._by_model: dict[str, Usage] = {}

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def usage(self) -> Usage:
        """Tokens of all messages."""
        return sum(self._by_model.values(), Usage())

    @property
    def cost(self) -> float | None:
        """Estimated USD of all messages: None when the price of one is unknown, or no message was told."""
        costs = [cost(model, usage, self._prices) for model, usage in self._by_model.items()]
        known = [each for each in costs if each is not None]
        return sum(known) if known and len(known) == len(costs) else None

    def tell(self, message: str, model: str, usage: Usage) -> bool:
        """Take note of a message's usage; True when the total changed. A message keeps the model it came with first."""
        new = message not in self._messages
        model, before = self._messages.get(message, (model, Usage()))
        after = _largest(before, usage)
        self._messages[message] = (model, after)
        self._by_model[model] = self._by_model.get(model, Usage()) + _difference(after, before)
        return new or after != before

    def tell_output(self, message: str, output: int) -> bool:
        """Take note of the output tokens of a message told before; True when the total changed."""
        model, before = self._messages.get(message, ("", Usage()))
        if not model:
            return False
        return self.tell(message, model, Usage(before.input, output, before.cache_read, before.cache_write))


def _largest(one: Usage, other: Usage) -> Usage:
    return Usage(
        max(one.input, other.input),
        max(one.output, other.output),
        max(one.cache_read, other.cache_read),
        max(one.cache_write, other.cache_write),
    )


def _difference(after: Usage, before: Usage) -> Usage:
    return Usage(
        after.input - before.input,
        after.output - before.output,
        after.cache_read - before.cache_read,
        after.cache_write - before.cache_write,
    )
