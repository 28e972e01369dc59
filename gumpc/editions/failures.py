"""`on_failure:` of edition 3 as the retry entries of edition 4: N more attempts, each governed by a strategy's entry.

Edition 4 goes on with the files and the session of the attempt before; edition 3 begins anew unless the step says
`session: reuse-on-retry`. So the first entry resets both, and overrides stay in force from there on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gumpc.diagnostics import Collector, Note
from gumpc.editions.keys_3 import KINDS, ON_FAILURE, POLICY, POLICY_KEYS, STRATEGY
from gumpc.nodes import Mapping, Node, Scalar
from gumpc.parse_keys import Fields, open_fields
from gumpc.parse_tables import Figure
from gumpc.parse_values import at_start, is_absent, kind_of, read_choice, read_number
from gumpc.source import Span
from gumpc.syntax import Number, RetrySyntax, SessionSyntax

Entries = tuple[RetrySyntax, ...]
_TIMES = Figure(whole=True, low=1)


@dataclass(frozen=True, slots=True)
class Policies:
    """The entries for every kind of failure, and those for the kinds that differ."""

    entries: Entries = ()
    by_kind: tuple[tuple[str, Entries], ...] = ()


@dataclass(frozen=True, slots=True)
class _Action:
    """What a strategy does for `times` attempts; with neither agent it is `same`."""

    span: Span
    times: int = 1
    agent: Scalar | None = None
    replan: Scalar | None = None


def parse_on_failure(fields: Fields, *, keeps: bool) -> Policies:
    """The policies of a step or group; with `keeps`, a retry goes on with the files and session it has."""
    node = fields.node("on_failure")
    if node is None:
        return Policies()
    inner = open_fields(node, "`on_failure`", ON_FAILURE, fields.out)
    kinds = [kind for kind in KINDS if kind in inner]
    plain = [key for key in POLICY if key in inner]
    if not kinds:
        return Policies(_policy(inner, keeps=keeps))
    if plain:
        because = f"`{plain[0]}` stands beside `{kinds[0]}`: a policy is for all kinds of failure, or one for each"
        inner.conflict(plain[0], kinds[0], because=because, advice=f"move `{plain[0]}` into `{kinds[0]}:`")
    found = {kind: _kind_policy(inner, kind, keeps=keeps) for kind in kinds}
    others = tuple((KINDS[kind], entries) for kind, entries in found.items() if kind != "gate_fail")
    return Policies(found.get("gate_fail", ()), others)


def _kind_policy(fields: Fields, kind: str, *, keeps: bool) -> Entries:
    node = fields.node(kind)
    assert node is not None
    return _policy(open_fields(node, f"`{kind}`", POLICY_KEYS, fields.out), keeps=keeps)


def _policy(fields: Fields, *, keeps: bool) -> Entries:
    if not fields.require("retry", advice="`retry: N` says how many more attempts there are"):
        return ()
    more = fields.number("retry")
    actions = [action for node in fields.items("strategy") if (action := _action(node, fields.out))]
    restart = fields.text("restart_from")
    if more is None:
        return ()
    entries = _entries(actions, more, keeps=keeps)
    if restart:
        # Back to an earlier step once the strategy is at its end, and with the last attempt at the latest.
        at = min(sum(action.times for action in actions) + 2, int(more.value) + 1)
        entries = _with_override(entries, at, replace(_entry(at, restart.span), restart_from=restart))
    _report_dead(entries, more, fields.out)
    return (*entries, RetrySyntax("exit", fields.key("retry").span, count=Number(more.value + 1, more.span)))


def _entries(actions: list[_Action], more: Number, *, keeps: bool) -> Entries:
    entries: Entries = ()
    if not keeps:
        fresh = SessionSyntax("new", None, more.span)
        entries = (replace(_entry(2, more.span), session=fresh, reset=True),)
    at = 2
    for action in actions:
        if action.agent or action.replan:
            entry = replace(_entry(at, action.span), agent=action.agent, replan=action.replan)
            entries = _with_override(entries, at, entry)
        at += action.times
    return entries


def _entry(attempt: int, span: Span) -> RetrySyntax:
    return RetrySyntax("attempt", span, count=Number(attempt, span))


def _with_override(entries: Entries, at: int, entry: RetrySyntax) -> Entries:
    """The entries with another one; what is for one attempt stands in one entry."""
    last = entries[-1] if entries else None
    if last is None or last.count is None or last.count.value != at:
        return (*entries, entry)
    merged = replace(
        last,
        span=entry.span,
        agent=entry.agent or last.agent,
        replan=entry.replan or last.replan,
        restart_from=entry.restart_from or last.restart_from,
    )
    return (*entries[:-1], merged)


def _report_dead(entries: Entries, more: Number, out: Collector) -> None:
    for entry in entries:
        if entry.count and entry.count.value > more.value + 1:
            attempts = f"{more.value:g} more attempt{'s' if more.value > 1 else ''}"
            message = (
                f"this entry never applies: there are only {attempts}, and it is for attempt {entry.count.value:g}"
            )
            out.add("G402", message, entry.span, notes=[Note("`retry` is here", more.span)])


def _action(node: Node, out: Collector) -> _Action | None:
    if isinstance(node, Scalar) and not is_absent(node):
        kind, colon, _ = node.value.partition(":")
        if colon and kind in STRATEGY.table:
            out.add("G103", f"`{kind}` is text here, not a key", node.span, help=f"write `- {kind}: …` without quotes")
            return None
        word = read_choice(node, "an entry of `strategy`", STRATEGY.table, out)
        if word and word.value != "same":
            out.add("G101", f"`{word.value}` needs an agent", word.span, help=f"write `- {word.value}: AGENT`")
            return None
        return _Action(node.span) if word else None
    if not isinstance(node, Mapping):
        out.add("G103", f"an entry of `strategy` is a word or a map, not {kind_of(node)}", at_start(node))
        return None
    fields = open_fields(node, "an entry of `strategy`", STRATEGY, out)
    given = [key for key in STRATEGY.table if key in fields]
    if len(given) > 1:
        fields.conflict(given[1], given[0], advice="begin each with its own `- `")
    if len(given) != 1:
        return None
    span = fields.key(given[0]).span
    if given[0] == "same":
        value = fields.node("same")
        times = read_number(value, "`same`", _TIMES, out) if value else None
        return _Action(span, int(times.value)) if times else None
    agent = fields.text(given[0])
    if agent is None:
        return None
    return _Action(span, agent=agent) if given[0] == "escalate" else _Action(span, replan=agent)
