"""Whose session `session: reuse` goes on: that of the last step before it with the same agent, in the same task."""

from __future__ import annotations

from gumpc.scopes import Known, Scopes, enclosing_each, parallel_siblings


def last_of_same_agent(known: Known, scopes: Scopes) -> Known | None:
    """The step whose session `known` goes on in, or None when it is the first one of its agent."""
    earlier = (
        other
        for other in scopes.all
        if other.step.kind == "agent"
        and other.done < known.start
        and _agent(other) == _agent(known) != "pass"
        and enclosing_each(other.block) is enclosing_each(known.block)
        and parallel_siblings(other, known) is None
    )
    return max(earlier, key=lambda other: other.start, default=None)


def _agent(known: Known) -> str:
    return known.step.agent.value if known.step.agent else ""
