"""What rules may look at: the configuration and, when there is one, the repository's files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gumpc import ir
from gumpc.config_types import Config
from gumpc.diagnostics import Collector


@dataclass(frozen=True, slots=True)
class World:
    """`read` gives a file of the repository, or None for one that is missing; it is None without a repository."""

    config: Config
    read: Callable[[str], str | None] | None = None


Rule = Callable[[ir.Step, World, Collector], None]
"""Looks at one step and reports what is wrong with it."""
