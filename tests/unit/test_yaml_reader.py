"""The reader's promises: exact places, nothing typed, nothing lost in silence, no input that brings it down."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from gumpc.diagnostics import Collector
from gumpc.nodes import Mapping, Node, Scalar, Sequence
from gumpc.source import Source, line_starts
from gumpc.yaml_nodes import MAX_DEPTH, MAX_NODES
from gumpc.yaml_reader import MAX_CHARACTERS, decode, read


def read_ok(text: str) -> Node:
    out = Collector()
    node = read(Source("f.yaml", text), out)
    assert out.found == []
    assert node is not None
    return node


def faults(text: str) -> list[tuple[str, int, int]]:
    out = Collector()
    read(Source("f.yaml", text), out)
    return [(d.code, d.span.line, d.span.column) for d in out.sorted()]


def value(text: str, key: str = "a") -> Scalar:
    node = read_ok(text)
    assert isinstance(node, Mapping)
    found = node.get(key)
    assert isinstance(found, Scalar)
    return found


def character_at(text: str, line: int, column: int) -> str:
    index = line_starts(text)[line - 1] + column - 1
    return text[index : index + 1]


def assert_places(text: str, scalar: Scalar) -> None:
    """Every character is found where `locate` says; a break may be found as any break, an escape as its backslash."""
    quoted = character_at(text, scalar.span.line, scalar.span.column) == '"'
    for offset, character in enumerate(scalar.value):
        span = scalar.locate(offset, offset + 1)
        there = character_at(text, span.line, span.column)
        if character in " \n" and there in ("\r", "\n", "\x85", "", " "):
            continue
        if there == "\\" and quoted:
            continue
        assert there == character, (offset, character, there, span)


SCALARS = {
    "plain": "a: hello world  # c\n",
    "plain with umlauts and emoji": "a: grüße 🦊 an {x.y}\n",
    "plain over lines": "a: one\n  two  \n\n\n   three {x}\nb: c\n",
    "plain, CRLF": "a: one\r\n  two\r\n\r\n  three\r\nb: c\r\n",
    "plain, lone CR": "a: one\r  two\rb: c\r",
    "plain with quotes and backslashes": 'a: it\'s \\n "so"\n',
    "single quoted": "a: 'it''s {x}'\n",
    "single quoted over lines": "a: 'one\n  two '' x\n\n  three'\n",
    "double quoted": "a: \"one {x} 'two'\"\n",
    "double quoted over lines": 'a: "one   \n\n   two\n  three "\n',
    "literal": "a: |\n  one\n    two\n  three {x}\n",
    "literal, strip": "a: |-\n  one\n\n  two\n\n\nb: c\n",
    "literal, keep": "a: |+\n  one\n\n\nb: c\n",
    "literal, indentation given": "a: |2\n    one\n  two\n",
    "literal, keep and indentation": "a: |2+ # c\n   one\n\n  two\n\n",
    "literal, blank lines first": "a: |\n\n\n   one\n\n   two\n",
    "literal, blanks in blank lines": "a: |\n  one\n     \n  two\n \n",
    "literal, tabs inside": "a: |\n  one\ttwo\n  \tthree\n",
    "literal, no last break": "a: |\n  one\n  two",
    "literal, CRLF": "a: |\r\n  one\r\n  two\r\nb: c\r\n",
    "literal, comment behind": "a: |\n    one\n  # comment\nb: c\n",
    "literal, empty": "a: |\n\nb: c\n",
    "literal of blanks only": "a: |1\n    \n  x\n",
    "folded": "a: >\n  one\n  two {x}\n\n  three\n",
    "folded, more indented": "a: >\n  one\n    two\n    three\n  four\n\n    five\n\n\n  six\n",
    "folded, strip": "a: >-\n  one\n  two\n\nb: c\n",
    "folded, keep": "a: >+\n  one\n\n  two\n\n\nb: c\n",
    "folded, indentation given": "a: >1\n   x\n  y\n\n z\n",
    "folded, blank lines first": "a: >\n\n  one\n  two\n",
    "line separators": 'a: "one\u2028two"\n',
    "next line": "a: one\x85  two\nb: c\n",
    "anchored": "a: &x one\n",
    "anchored on the line above": "a: &x # c\n  one\n",
    "anchored block": "a: &x |\n  one\n  two\n",
    "tagged": "a: !!str one\n",
}


@pytest.mark.parametrize("text", SCALARS.values(), ids=SCALARS)
def test_each_character_of_a_value_is_located_where_it_stands(text: str) -> None:
    scalar = value(text)
    assert scalar.value == yaml.safe_load(text)["a"]
    assert_places(text, scalar)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a: "x\\ty {r}"\n', "{r}"),
        ('a: "\\u00e9\\x41\\U0001F98A {r}"\n', "{r}"),
        ('a: "x\\\n   y {r}"\n', "{r}"),
        ('a: "x \\\n\n   \\  y {r}"\n', "{r}"),
        ('a: "x\\\r\n  y {r}"\r\n', "{r}"),
        ("a: 'it''s {r}'\n", "{r}"),
        ('a: "\\"{r}\\""\n', "{r}"),
        ("a: >-\n  x\n\n\n  y\n   z\n  {r}\n", "{r}"),
    ],
)
def test_what_stands_behind_an_escape_or_a_fold_is_located(text: str, expected: str) -> None:
    scalar = value(text)
    assert scalar.value == yaml.safe_load(text)["a"]
    start = scalar.value.index(expected)
    span = scalar.locate(start, start + len(expected))
    begin = line_starts(text)[span.line - 1]
    assert text[begin + span.column - 1 : begin + span.end_column - 1] == expected


def test_an_escape_is_located_at_its_backslash() -> None:
    span = value('a: "x\\ty"\n').locate(1, 2)
    assert (span.line, span.column) == (1, 6)


WORDS = st.text(alphabet="ab'\"\\ \t\n{}#:é🦊-", max_size=30)


@given(words=WORDS, width=st.integers(10, 40), style=st.sampled_from([None, "'", '"', "|", ">"]))
@example(words="a \n\n b\n", width=10, style=">")
def test_places_hold_in_whatever_style_a_value_is_written(words: str, width: int, style: str | None) -> None:
    text = yaml.safe_dump({"a": words}, default_style=style, width=width, allow_unicode=True)
    scalar = next(v for k, v in read_ok(text).entries if k.value == "a")
    assert scalar.value == words
    assert_places(text, scalar)


LINES = st.lists(st.text(alphabet="ab {x}", max_size=8), min_size=1, max_size=8)


@given(lines=LINES, header=st.sampled_from(["|", "|-", "|+", "|2", ">", ">-", ">+", ">2", ">2+"]), last=st.booleans())
def test_places_hold_in_hand_written_blocks(lines: list[str], header: str, last: bool) -> None:
    text = f"a: {header}\n" + "\n".join("  " + line for line in lines) + ("\nb: c\n" if last else "")
    try:
        expected = yaml.safe_load(text)["a"]
    except yaml.YAMLError:
        return
    scalar = next(v for k, v in read_ok(text).entries if k.value == "a")
    assert scalar.value == expected
    assert_places(text, scalar)


def test_scalars_stay_text() -> None:
    node = read_ok("a: [no, 010, 1:30, ~, null, 2020-01-01, 0x10, .inf]\n").get("a")
    assert isinstance(node, Sequence)
    assert [item.value for item in node.items] == ["no", "010", "1:30", "~", "null", "2020-01-01", "0x10", ".inf"]
    assert all(item.plain for item in node.items)
    assert not value('a: "x"\n').plain


def test_spans_of_collections_end_with_their_last_value() -> None:
    node = read_ok("a:\n  b: c\n  d: [e,\n    f]\n\n# comment\n\ng: h\n")
    inner = node.get("a")
    assert (inner.span.line, inner.span.column, inner.span.end_line, inner.span.end_column) == (2, 3, 4, 7)
    assert (node.span.end_line, node.span.end_column) == (8, 5)


def test_block_scalars_end_with_their_last_character() -> None:
    span = value("a: |\n  one\n  two\n\n\nb: c\n").span
    assert (span.line, span.column, span.end_line, span.end_column) == (1, 4, 3, 6)


def test_merge_keys_give_way_to_written_keys_and_to_earlier_ones() -> None:
    node = read_ok("x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  a: 3\n").get("z")
    assert [(k.value, v.value) for k, v in node.entries] == [("b", "1"), ("c", "2"), ("a", "3")]


def test_a_quoted_merge_key_is_an_ordinary_key() -> None:
    assert read_ok('a: {"<<": b}\n').get("a").get("<<").value == "b"


def test_a_byte_order_mark_takes_no_column() -> None:
    out = Collector()
    source = decode("f.yaml", b"\xef\xbb\xbfa: b\n", out)
    assert source is not None
    assert read(source, out).get("a").span.column == 4
    assert value("\ufeffa: b\n").span.column == 4


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"a: \xff\n", (1, 4)),
        (b"a: b\nc: \xc3", (2, 4)),
        ("é: ".encode() + b"\xe9", (1, 4)),
        (b"a\x00".join([b"\xfe", b"\xff"]), (1, 1)),
    ],
)
def test_what_is_not_utf8_is_reported_at_its_character(raw: bytes, place: tuple[int, int]) -> None:
    out = Collector()
    assert decode("f.yaml", raw, out) is None
    assert [(d.code, d.span.line, d.span.column) for d in out.found] == [("G001", *place)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: *x\n", ("G006", 1, 4)),
        ("a: &x\n  b: *x\n", ("G006", 2, 6)),
        ("a: b\nc: d\na: e\n", ("G004", 3, 1)),
        ("a: !!python/object:os.system x\n", ("G005", 1, 4)),
        ("a: !secret x\n", ("G005", 1, 4)),
        ("a: !!int 1\n", ("G005", 1, 4)),
        ("a:\n\tb: c\n", ("G003", 2, 1)),
        ("a:\n  \tb: c\n", ("G003", 2, 3)),
        ("a: b\n\tc: d\n", ("G003", 2, 1)),
        ("", ("G008", 1, 1)),
        ("# only a comment\n", ("G008", 1, 1)),
        ("a: b\n---\nc: d\n", ("G008", 2, 1)),
        ("<<: x\na: b\n", ("G009", 1, 1)),
        ("? [a]\n: b\n", ("G103", 1, 3)),
        ("a: \x01\n", ("G002", 1, 4)),
        ("a: \ud800\n", ("G002", 1, 4)),
        ("a: é\x07\n", ("G002", 1, 5)),
        ("a: [b, c\nd: e\n", ("G002", 1, 4)),
        ('a: "b\nc: d\n', ("G002", 1, 4)),
        ("a: b: c\n", ("G002", 1, 5)),
        ("a: @b\n", ("G002", 1, 4)),
        ('a: "\\q"\n', ("G002", 1, 5)),
        ('a: "b" c\n', ("G002", 1, 8)),
        ("a: {x.y} and more\n", ("G002", 1, 10)),
        ("a:\n    b: c\n  d: e\n", ("G002", 3, 3)),
        ("- a\nb: c\n", ("G002", 2, 1)),
        ("a: b\nnonsense\n", ("G002", 2, 1)),
        ("a: - b\n", ("G002", 1, 4)),
        ("a: | text\n", ("G002", 1, 6)),
        ("a: b\n  c: d\n", ("G002", 2, 3)),
        ("a: ]\n", ("G002", 1, 4)),
    ],
)
def test_each_fault_has_its_code_and_place(text: str, expected: tuple[str, int, int]) -> None:
    assert faults(text) == [expected]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "[{a: "])
def test_a_million_levels_are_refused(opening: str) -> None:
    assert [code for code, _, _ in faults(opening * (MAX_CHARACTERS // len(opening)))] == ["G007"]


def test_the_deepest_nesting_allowed_is_read() -> None:
    assert faults("[" * MAX_DEPTH + "]" * MAX_DEPTH) == []
    assert faults("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)) == [("G007", 1, MAX_DEPTH + 1)]


def test_an_alias_may_not_reach_deeper_than_the_limit() -> None:
    half = "[" * 40 + "]" * 40
    assert [code for code, _, _ in faults(f"a: &a {half}\nb: {'[' * 30}*a{']' * 30}\n")] == ["G006"]


def test_an_alias_bomb_is_refused_before_it_is_expanded() -> None:
    bomb = "l0: &l0 [x]\n" + "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 20))
    assert [code for code, _, _ in faults(bomb)] == ["G006"]


def test_merging_many_times_over_does_not_grow_a_mapping() -> None:
    many = "l0: &l0 {a: b}\n" + "".join(
        f"l{n}: &l{n} {{<<: [{', '.join([f'*l{n - 1}'] * 9)}], k{n}: v}}\n" for n in range(1, 20)
    )
    assert len(read_ok(many).get("l19").entries) == 20


def test_size_and_number_of_nodes_are_limited() -> None:
    assert faults("#" * MAX_CHARACTERS) == [("G008", 1, 1)]
    assert faults("#" * (MAX_CHARACTERS + 1)) == [("G007", 1, 1)]
    assert [code for code, _, _ in faults("- a\n" * MAX_NODES)] == ["G007"]


def test_session_from_on_one_line_is_read_as_it_was_meant() -> None:
    text = "a: b\nsession: from: build-it  # c\nc: '{x}'\n"
    out = Collector()
    node = read(Source("f.yaml", text), out)
    target = node.get("session").get("from")
    assert target.value == "build-it"
    assert (target.span.line, target.span.column, target.span.end_column) == (2, 16, 24)
    assert_places(text, node.get("c"))
    assert [d.code for d in out.found] == ["G010"]
    assert read_ok(apply_fix(text, out)).get("session").get("from").value == "build-it"


def test_inputs_indented_deeper_than_their_call_are_read_as_they_were_meant() -> None:
    text = 'gate:\n  - validate: v/x\n      diff: "{diff}"\n\n      other: |\n        y\n  - test\n'
    out = Collector()
    node = read(Source("f.yaml", text), out)
    call = node.get("gate").items[0]
    assert [key.value for key, _ in call.entries] == ["validate", "diff", "other"]
    assert_places(text, call.get("diff"))
    assert_places(text, call.get("other"))
    assert [(d.code, d.span.line, d.span.column) for d in out.found] == [("G010", 3, 7)]
    assert read_ok(apply_fix(text, out)).get("gate").items[0].get("other").value == "y\n"


def test_two_published_spellings_in_one_file_are_both_read() -> None:
    text = "a:\n  session: from: x\nb:\n  session: from: y\nc:\n  validate: v\n    d: e\n"
    out = Collector()
    assert read(Source("f.yaml", text), out) is not None
    assert [(d.code, d.span.line) for d in out.sorted()] == [("G010", 2), ("G010", 4), ("G010", 7)]


def test_a_prompt_that_quotes_a_published_spelling_is_left_alone() -> None:
    assert value("a: |\n  session: from: x\n").value == "session: from: x\n"


def apply_fix(text: str, out: Collector) -> str:
    edits = [edit for d in out.found if d.fix for edit in d.fix.edits]
    starts = line_starts(text)
    for edit in sorted(edits, key=lambda edit: edit.span, reverse=True):
        span = edit.span
        start, end = starts[span.line - 1] + span.column - 1, starts[span.end_line - 1] + span.end_column - 1
        text = text[:start] + edit.text + text[end:]
    return text
