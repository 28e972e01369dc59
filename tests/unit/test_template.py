"""Templates: the grammar's examples one by one, and that the fast way and the grammar's way are the same."""

from __future__ import annotations

from importlib.resources import files

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from gumpc.template import PathSyntax, parse_by_grammar, parse_template, unclosed

PIECES = (
    *("{", "}", "{{", "}}", "$", "${", "/", "./", ".", "-", "_", "*", "\n", " ", "\\", '"', "é"),
    *(
        "a",
        "Z",
        "7",
        "spec",
        "task",
        "files",
        "{spec}",
        "{task.files}",
        "{a/b.c}",
        "{./a}",
        "${HOME}",
        "{3}",
        "{a-b_c}",
    ),
)


def shape(text: str) -> list[object]:
    """The parts, references as `(anchor, segments, fields)`."""
    return [
        (part.anchor, part.segments, part.fields) if isinstance(part, PathSyntax) else part
        for part in parse_template(text)
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("no reference", ["no reference"]),
        ("{spec}", [("", ("spec",), ())]),
        ("a {task.description}\nb", ["a ", ("", ("task",), ("description",)), "\nb"]),
        ("{a}{b}", [("", ("a",), ()), ("", ("b",), ())]),
        ("{a/b.output}", [("", ("a", "b"), ("output",))]),
        ("{./a} {/b} {*/c.files}", [("./", ("a",), ()), " ", ("/", ("b",), ()), " ", ("", ("*", "c"), ("files",))]),
        ("{{spec}}", ["{spec}"]),
        ("{{{spec}}}", ["{", ("", ("spec",), ()), "}"]),
        ("[0-9]{3}", ["[0-9]{3}"]),
        ("{3a}", [("", ("3a",), ())]),
        ("echo ${HOME} ${task.name}", ["echo ${HOME} $", ("", ("task",), ("name",))]),
        ('{"key": {"inner": 1}}', ['{"key": {"inner": 1}}']),
        ("{ spec }", ["{ spec }"]),
        ("{spec", ["{spec"]),
        ("spec}", ["spec}"]),
        ("{spec.}", ["{spec.}"]),
        ("{.spec}", ["{.spec}"]),
        ("{spéc}", ["{spéc}"]),
        ("{spec\n}", ["{spec\n}"]),
    ],
)
def test_parts(text: str, parts: list[object]):
    assert shape(text) == parts


def test_places_and_spelling():
    text = "é {task.files} {a/b}"
    found = [part for part in parse_template(text) if isinstance(part, PathSyntax)]
    assert [(p.written, text[p.start : p.end]) for p in found] == [("{task.files}",) * 2, ("{a/b}",) * 2]


@example("{a}}")
@example("{{a}")
@example("${a}")
@example("${a.b}")
@example("{a}{3}")
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(alphabet="{}$a3./-_* ", max_size=20))
def test_the_fast_way_is_the_grammar(text: str):
    assert parse_template(text) == parse_by_grammar(text)


def test_the_fast_way_is_the_grammar_for_the_builtins():
    strings: set[str] = set()
    for file in files("gumpc.builtin").joinpath("workflows").iterdir():
        strings |= {event.value for event in yaml.parse(file.read_text("utf-8")) if isinstance(event, yaml.ScalarEvent)}
    assert any("{task.description}" in text for text in strings)
    assert {text: parse_template(text) for text in strings} == {text: parse_by_grammar(text) for text in strings}


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("write {spec now", ["{spec"]),
        ("write {name now", []),
        ("write {spec", ["{spec"]),
        ("{a} {b\n{c}", ["{b"]),
        ("${HOME", []),
        ("{3", []),
    ],
)
def test_unclosed(text: str, marked: list[str]):
    assert [text[start:end] for start, end in unclosed(text)] == marked


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ('{{"pass": true}}', '{"pass": true}'),
        ('{"a": {"b": 1}}', '{"a": {"b": 1}}'),
        ('{{"a": {"b": 1}}}', '{"a": {"b": 1}}'),
        ('{{"a": {{"b": 1}}}}', '{"a": {"b": 1}}'),
        ("{{x}} and }}", "{x} and }}"),
    ],
)
def test_doubled_braces_are_escapes_in_pairs_only(text: str, literal: str):
    assert parse_template(text) == (literal,)
