"""Nodes to syntax: every shape fault of the file is reported, and what is sound goes on.

The parser is split as the language is: `parse_step`, `parse_gate` and `parse_retry` hold one construct each with the
tables of its keys, `parse_parts` what several share, `parse_keys` and `parse_values` the vocabulary below them.
"""

from __future__ import annotations

import re

from gumpc.diagnostics import Collector
from gumpc.editions import parse_3
from gumpc.editions.keys_3 import INPUTS
from gumpc.editions.telling import edition_of
from gumpc.nodes import Mapping, Node, Scalar
from gumpc.parse_keys import Fields, open_fields
from gumpc.parse_step import parse_steps
from gumpc.parse_tables import Choice, Duration, Figure, Key, Keys, Many, Part, Retired, Text
from gumpc.parse_values import at_start, kind_of, shown
from gumpc.syntax import WorkflowSyntax

IGNORED = "x-"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*", re.ASCII)
ROOT = Keys(
    {
        "name": Key("The workflow's name: lower-case letters, digits, `_`, `-`.", Text(_NAME)),
        "description": Key("What it is for, for people.", Text(may_be_empty=True)),
        "max_budget": Key("The most US dollars of a whole run.", Figure(above=True)),
        "max_timeout": Key("The longest time of a whole run: `90s`, `30m`, `1h30m`.", Duration()),
        "max_tokens": Key("The most tokens of a whole run, in and out.", Figure(whole=True, low=1)),
        "steps": Key("What is done, in order.", Many(Part("step"), least=1)),
        "edition": Key("The edition of the language, where the file does not show it.", Choice(("3", "4"))),
    },
    elsewhere={"guard": "limits of the whole run are `max_budget`, `max_timeout` and `max_tokens`"},
    retired={"inputs": Retired("delete it: every `{name}` that no step defines is an input")},
)

ROOT_3 = Keys({**ROOT.table, "inputs": INPUTS}, ROOT.elsewhere)


def parse(node: Node, collector: Collector) -> WorkflowSyntax | None:
    """The workflow in `node`; None when it has no usable name or mixes both editions, with faults in `collector`."""
    if not isinstance(node, Mapping):
        advice = "a workflow has at least `name:` and `steps:`"
        collector.add("G103", f"a workflow must be a map, not {kind_of(node)}", at_start(node), help=advice)
        return None
    kept = tuple((key, value) for key, value in node.entries if not key.value.startswith(IGNORED))
    edition = edition_of(node, collector)
    if edition is None:
        return None
    fields = open_fields(Mapping(kept, node.span), "a workflow", ROOT_3 if edition == 3 else ROOT, collector)
    fields.choice("edition")
    fields.require("name")
    fields.require("steps")
    name = _workflow_name(fields)
    workflow = WorkflowSyntax(
        name or Scalar("", fields.span, ((0, fields.span.line, fields.span.column),)),
        node.span,
        description=fields.text("description", may_be_empty=True),
        max_budget=fields.number("max_budget"),
        max_timeout=fields.duration("max_timeout"),
        max_tokens=fields.number("max_tokens"),
        steps=parse_3.parse_steps(fields, "steps") if edition == 3 else parse_steps(fields, "steps"),
        edition=edition,
        inputs=parse_3.parse_inputs(fields) if edition == 3 else (),
    )
    return workflow if name and workflow.steps else None


def _workflow_name(fields: Fields) -> Scalar | None:
    name = fields.text("name")
    if name is None or _NAME.fullmatch(name.value):
        return name
    slug = re.sub(r"[^a-z0-9]+", "-", name.value[:60].lower()).strip("-")
    rule = "lower-case letters, digits, `_` and `-`, the first a letter or a digit"
    message = f"{shown(name.value)} is not a name of a workflow: {rule}"
    fields.out.add("G108", message, name.span, help=f"for example `{slug}`" if slug else "")
    return None
