"""What a model's tokens cost, for calls whose CLI names no price or never got to name it.

An estimate: list prices on the day `AS_OF`, without volume, batch or long-context terms. A model that is not in the
table has no cost (None); 0 would read as free, and a budget would never be reached.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from runtime.agents.protocol import Usage

AS_OF = "2026-11-21"
"""The day on which the Anthropic prices were measured; those of other vendors are of March to July 2026."""


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens; None where the vendor's price is unknown or there is no such charge."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None


PRICES: Mapping[str, Price] = {
    "claude-opus-5-5": Price(4, 20, 0.20, 5),
    "claude-sonnet-5-5": Price(2, 10, 0.10, 2.5),
    "claude-sonnet-5": Price(2, 10, 0.20, 2.5),
    "claude-haiku-5-5": Price(0.10, 0.50, 0.01, 0.125),
    "claude-fable-5-2": Price(8, 40, 0.20, 10),
    "claude-opus-4-6": Price(5, 25, 0.50, 6.25),
    "claude-opus-4-8": Price(5, 25, 0.50, 6.25),
    "claude-sonnet-4-6": Price(3, 15, 0.30, 3.75),
    "claude-haiku-4-5": Price(1, 5, 0.10, 1.25),
    "gpt-5.5": Price(5, 30, 0.50),
    "gpt-5.4": Price(2.5, 15, 0.25),
    "gpt-5.4-mini": Price(0.75, 4.5, 0.075),
    "gpt-5.4-nano": Price(0.20, 1.25, 0.02),
    "gpt-5.3-codex": Price(1.75, 14, 0.175),
    "gpt-5.2": Price(1.75, 14, 0.175),
    "gemini-3.1-pro": Price(2, 12, 0.20),
    "gemini-3.5-flash": Price(1.5, 9),
    "gemini-3-flash": Price(0.5, 3, 0.05),
    "gemini-3.1-flash-lite": Price(0.25, 1.5),
    "gemini-2.5-pro": Price(1.25, 10),
    "gemini-2.5-flash": Price(0.30, 2.5),
    "gemini-2.5-flash-lite": Price(0.10, 0.4),
}

_RELEASE = re.compile(r"(-\d{8}|-preview|-latest)?(\[[^\]]*\])?$")
"""What may follow a model's name in its id: the day of its release, the word preview, a context size as in `[1m]`."""


def cost(model: str, usage: Usage, prices: Mapping[str, Price] = PRICES) -> float | None:
    """USD for `usage` of `model`, or None when a price that it takes is unknown.

    `model` is looked up as it stands, then without its vendor (`anthropic/…`) and release suffix.
    """
    price = prices.get(model) or prices.get(_RELEASE.sub("", model.rpartition("/")[2], count=1))
    if price is None:
        return None
    total = 0.0
    for tokens, rate in (
        (usage.input, price.input),
        (usage.output, price.output),
        (usage.cache_read, price.cache_read),
        (usage.cache_write, price.cache_write),
    ):
        if tokens and rate is None:
            return None
        total += tokens * (rate or 0.0)
    return total / 1e6
