"""One text's YAML events as nodes, each with its exact place, within limits.

Built on PyYAML's event stream and on nothing above it. `compose` and `load` recurse without a limit (60 KB of `[` end
the interpreter), let the last of two equal keys win in silence, and turn `no` and `010` into other types; events
stop where we stop. Limits count what aliases and merge keys expand to, so an alias bomb is refused before it is walked.
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from gumpc.diagnostics import Collector, Note
from gumpc.nodes import Mapping, Node, Scalar, Sequence
from gumpc.source import Span
from gumpc.yaml_merge import measure, merged_entries, unique_entries
from gumpc.yaml_places import Places
from gumpc.yaml_scalars import walk_block, walk_flow

MAX_DEPTH = 64
MAX_NODES = 100_000

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE_TAGS = {
    yaml.ScalarEvent: "tag:yaml.org,2002:str",
    yaml.SequenceStartEvent: "tag:yaml.org,2002:seq",
    yaml.MappingStartEvent: "tag:yaml.org,2002:map",
}


class TooBigError(Exception):
    """A limit was reached, and reported."""


class NodeBuilder:
    """Turns the events of one text into nodes; recursion is bounded by `MAX_DEPTH`."""

    def __init__(self, places: Places, collector: Collector) -> None:
        self.places = places
        self._out = collector
        self._events: Iterator[yaml.Event] = yaml.parse(places.text, Loader=_LOADER)
        self._anchors: dict[str, Node] = {}
        self._open: dict[str, Span] = {}
        self._count = 0
        self._usable = True

    def document(self) -> Node | None:
        """The root of the one document; raises `TooBigError`, and what PyYAML raises where the text is not YAML."""
        root: Node | None = None
        for event in self._events:
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            if root is not None:
                span = self._span(event)
                advice = "move it to a file of its own"
                self._out.add("G008", "a second document begins here; a file holds one workflow", span, help=advice)
                return root if self._usable else None
            root = self._node(next(self._events), 1)
        if root is None or _is_blank(root):
            self._out.add(
                "G008",
                "the file is empty",
                self.places.span(0, 0),
                help="a workflow has at least `name:` and `steps:`",
            )
            return None
        return root if self._usable else None

    def _node(self, event: yaml.Event, depth: int) -> Node:
        self._limit("nodes", self._count + 1, MAX_NODES, event)
        self._count += 1
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        self._limit("levels", depth, MAX_DEPTH, event)
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        self._check_tag(event)
        anchor = event.anchor
        if anchor:
            self._open[anchor] = self._span(event)
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, depth)
        else:
            assert isinstance(event, yaml.MappingStartEvent)
            node = self._mapping(event, depth)
        if anchor:
            self._open.pop(anchor, None)
            self._anchors[anchor] = node
        return node

    def _span(self, event: yaml.Event) -> Span:
        return self.places.span(*_bounds(event))

    def _limit(self, what: str, value: int, limit: int, event: yaml.Event) -> None:
        if value <= limit:
            return
        span = self._span(event)
        if isinstance(event, yaml.AliasEvent):
            self._out.add("G006", f"this alias makes the file expand to more than {limit:,} {what}", span)
        else:
            self._out.add("G007", f"the file has more than {limit:,} {what}", span)
        raise TooBigError

    def _check_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag and event.tag != _CORE_TAGS[type(event)]:
            start = self.places.text.find("!", _bounds(event)[0])
            end = _skip_word(self.places.text, start)
            self._out.add(
                "G005",
                f"the tag `{self.places.text[start:end]}` is not allowed: values are typed by their key",
                self.places.span(start, end),
                help="delete the tag",
            )

    def _alias(self, event: yaml.AliasEvent, depth: int) -> Node:
        span = self._span(event)
        name = event.anchor or ""
        target = self._anchors.get(name)
        if name in self._open:
            notes = (Note("the anchor is here", self._open[name]),)
            self._out.add("G006", f"the alias `*{name}` stands inside what it names", span, notes=notes)
        elif target is None:
            known = ", ".join(f"`*{anchor}`" for anchor in sorted(self._anchors))
            advice = f"anchors above this line: {known}" if known else "no anchor stands above this line"
            self._out.add("G006", f"no anchor `&{name}` stands above this alias", span, help=advice)
        else:
            size, height = measure(target)
            self._limit("nodes", self._count + size, MAX_NODES, event)
            self._limit("levels", depth + height - 1, MAX_DEPTH, event)
            self._count += size
            return target
        self._usable = False
        return Scalar("", span, ((0, span.line, span.column),))

    def _sequence(self, event: yaml.SequenceStartEvent, depth: int) -> Sequence:
        items: list[Node] = []
        while not isinstance(inner := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(inner, depth + 1))
        return Sequence(tuple(items), self._collection_span(event, inner, items[-1:]))

    def _mapping(self, event: yaml.MappingStartEvent, depth: int) -> Mapping:
        pairs: list[tuple[Scalar, Node]] = []
        last: list[Node] = []
        while not isinstance(inner := next(self._events), yaml.MappingEndEvent):
            key = self._node(inner, depth + 1)
            last = [self._node(next(self._events), depth + 1)]
            if isinstance(key, Scalar):
                pairs.append((key, last[0]))
            else:
                self._usable = False
                advice = "quote a key that begins with `{` or `[`"
                self._out.add("G103", "a key must be text", _first_line(key.span), help=advice)
        span = self._collection_span(event, inner, last)
        if pairs and not event.flow_style:
            span = Span(span.file, pairs[0][0].span.line, pairs[0][0].span.column, span.end_line, span.end_column)
        faults = Collector()
        entries = merged_entries(unique_entries(pairs, self._out), faults)
        if faults.found and self._usable:
            self._out.found += faults.found
            self._usable = False
        return Mapping(entries, span)

    def _collection_span(self, start: yaml.Event, end: yaml.Event, last: list[Node]) -> Span:
        """A block collection ends with its last node (or, if that is an alias, where the alias' line ends)."""
        span = self.places.span(_bounds(start)[0], _bounds(end)[1])
        if getattr(start, "flow_style", False):
            return span
        inner = last[0].span if last else span
        if (inner.line, inner.column) < (span.line, span.column):
            inner = span
        return Span(span.file, span.line, span.column, inner.end_line, inner.end_column)

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        text, value = self.places.text, event.value
        start, end = _bounds(event)
        if event.anchor or event.tag:
            start = _skip_properties(text, start, end)
        style = event.style or ""
        if style in ("|", ">"):
            steps = walk_block(text, start, end, value, folded=style == ">")
            span = self._block_span(start, value, steps)
        else:
            span = self.places.span(start, end)
            margin = len(style)
            if text.startswith(value, start + margin) and start + 2 * margin + len(value) == end:
                steps = [(0, start + margin)]
            else:
                steps = walk_flow(text, start + margin, end - margin, style)
        lines = tuple([(offset, *self.places.at(index)) for offset, index in steps])
        return Scalar(value, span, lines, plain=not style and not event.tag)

    def _block_span(self, start: int, value: str, steps: list[tuple[int, int]]) -> Span:
        """From the `|` to the last character that is not a line break; an empty block is its `|` alone."""
        content = len(value.rstrip("\n"))
        if not content:
            return self.places.span(start, start + 1)
        offset, index = next(step for step in reversed(steps) if step[0] < content)
        return self.places.span(start, index + content - offset)


def _bounds(event: yaml.Event) -> tuple[int, int]:
    assert event.start_mark is not None
    assert event.end_mark is not None
    return event.start_mark.index, event.end_mark.index


def _is_blank(node: Node) -> bool:
    return isinstance(node, Scalar) and node.plain and node.value == ""


def _first_line(span: Span) -> Span:
    return span if span.line == span.end_line else span.start()


def _skip_word(text: str, index: int) -> int:
    while index < len(text) and text[index] not in " \t\r\n,]}":
        index += 1
    return index


def _skip_properties(text: str, index: int, end: int) -> int:
    """Where a node's content begins behind its anchor and tag, and behind comments between them."""
    while index < end:
        if text[index] in "&!":
            index = _skip_word(text, index)
        elif text[index] == "#":
            index = min([at for at in (text.find("\n", index), text.find("\r", index)) if at >= 0], default=end)
        elif text[index] in " \t\r\n":
            index += 1
        else:
            break
    return min(index, end)
