"""Retry policies: a list of entries, each with one condition and the overrides that hold from then on."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gumpc.diagnostics import Collector, Note
from gumpc.nodes import Node, Scalar
from gumpc.parse_keys import Fields, open_fields
from gumpc.parse_parts import PROMPT, WITH, parse_call, parse_prompt, parse_session
from gumpc.parse_tables import Choice, Figure, Key, Keys, Text
from gumpc.parse_values import NAME, part_of, shown
from gumpc.syntax import RetrySyntax

GATE_NAME = re.compile(rf"gate\.{NAME.pattern}", re.ASCII)
SESSIONS = Choice(("new", "own"))
CONDITIONS = {
    "attempt": Key("Holds from this attempt on; 2 is the first retry.", Figure(whole=True, low=2)),
    "not": Key("Holds when that gate failed in the attempt before: `gate.NAME`.", Text(GATE_NAME)),
    "validate": Key("Holds when this workflow says yes; its inputs stand under `with`."),
    "on": Key("Holds when this kind of thing went wrong.", Choice(("gate", "guard", "verdict", "agent"))),
    "exit": Key(
        "The step fails after this many attempts. Required, and alone in its entry.", Figure(whole=True, low=1)
    ),
}
OVERRIDES = {
    "agent": Key("Another agent from now on; it starts a new session."),
    "session": Key("`new`: forget what was said; `own`: go on in the step's own session.", SESSIONS),
    "worktree": Key("`reset`: back to the files as they were before the first attempt.", Choice(("reset",))),
    "prompt": Key("Another prompt from now on, with nothing appended: a template, or `{file: PATH}`.", PROMPT),
    "restart_from": Key("Back to this earlier sibling step, and on from there."),
    "replan": Key("This agent splits the task anew."),
}
ENTRY = Keys({**CONDITIONS, "with": WITH, **OVERRIDES})


def parse_retry(fields: Fields) -> tuple[RetrySyntax, ...]:
    """The `retry:` list of a step or group, its order checked."""
    if "retry" not in fields:
        return ()
    before = len(fields.out.found)
    nodes = fields.items("retry")
    entries = tuple(entry for entry in (_parse_entry(node, fields.out) for node in nodes) if entry)
    intact = not any(d.severity == "error" for d in fields.out.found[before:])
    _check_order(entries, fields.out)
    if intact and not any(entry.condition == "exit" for entry in entries):
        advice = "add `- exit: N`, the most attempts there may be"
        fields.out.add("G401", "`retry` has no `exit`", fields.key("retry").span, help=advice)
    return entries


def _parse_entry(node: Node, out: Collector) -> RetrySyntax | None:
    fields = open_fields(node, "a retry entry", ENTRY, out)
    conditions = [name for name in CONDITIONS if name in fields]
    if not conditions:
        if fields.sure:
            words = ", ".join(f"`{name}`" for name in CONDITIONS)
            out.add("G101", f"a retry entry needs a condition, one of {words}", fields.span)
        return None
    condition = conditions[0]
    if len(conditions) > 1:
        because = f"`{conditions[0]}` and `{conditions[1]}` are two conditions in one retry entry"
        fields.conflict(conditions[1], condition, because=because, advice="write an entry for each")
        return None
    _check_company(fields, condition)
    entry = RetrySyntax(
        condition,
        fields.key(condition).span,
        count=fields.number(condition) if condition in ("attempt", "exit") else None,
        gate=_gate_name(fields) if condition == "not" else None,
        kind=fields.choice("on"),
        call=parse_call(fields, "validate") if condition == "validate" else None,
        agent=fields.text("agent"),
        session=parse_session(fields, SESSIONS, may_continue=False),
        reset=fields.choice("worktree") is not None,
        prompt=parse_prompt(fields),
        restart_from=fields.text("restart_from"),
        replan=fields.text("replan"),
    )
    complete = entry.count or entry.gate or entry.kind or entry.call
    return entry if complete else None


def _check_company(fields: Fields, condition: str) -> None:
    """`exit` stands alone, and `with` belongs to `validate`."""
    if "with" in fields and condition != "validate":
        fields.conflict("with", condition, because=f"`with` gives inputs to `validate`, not to `{condition}`")
    override = next((name for name in OVERRIDES if name in fields), None)
    if condition == "exit" and override:
        because = f"`{override}` has no effect beside `exit`, which ends the retries"
        fields.conflict(override, "exit", because=because, advice="move it to an entry with another condition")


def _gate_name(fields: Fields) -> Scalar | None:
    """The NAME of `not: gate.NAME`."""
    text = fields.text("not")
    if text is None:
        return None
    if GATE_NAME.fullmatch(text.value):
        return part_of(text, len("gate."), len(text.value))
    advice = f"write `not: gate.{text.value}`" if NAME.fullmatch(text.value) else "write `not: gate.NAME`"
    fields.out.add("G104", f"{shown(text.value)} is not a condition; `not` takes `gate.NAME`", text.span, help=advice)
    return None


def _check_order(entries: Iterable[RetrySyntax], out: Collector) -> None:
    last: RetrySyntax | None = None
    end: RetrySyntax | None = None
    waiting: list[RetrySyntax] = []
    for entry in entries:
        if end is not None:
            notes = (Note("`exit` is here", end.span),)
            out.add("G402", f"`{entry.condition}` comes after `exit` and never applies", entry.span, notes=notes)
        elif entry.condition == "exit":
            end = entry
        elif entry.condition == "attempt" and entry.count:
            waiting.append(entry)
            if last and last.count and entry.count.value <= last.count.value:
                notes = (Note(f"`attempt: {last.count.value:g}` is here", last.span),)
                message = f"`attempt: {entry.count.value:g}` must be more than the attempt before it in the list"
                out.add("G403", message, entry.count.span, notes=notes, help="order the entries by attempt")
            last = entry
    for entry in waiting:
        if end and end.count and entry.count and entry.count.value >= end.count.value:
            notes = (Note("`exit` is here", end.span),)
            message = f"`attempt: {entry.count.value:g}` never applies: `exit: {end.count.value:g}` comes first"
            out.add("G402", message, entry.count.span, notes=notes)
