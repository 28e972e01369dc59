"""Substitution changes nothing but what it says: values come out byte for byte, and only empty lines are dropped."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from gumpc.ir import InputTarget, Reference, Template, Text
from gumpc.source import Span
from gumpc.substitute import substitute
from gumpc.template import parse_template

NOWHERE = Span("f.yaml", 1, 1, 1, 1)
SCRAP = st.text(st.sampled_from("ab {}$\\\n\r\t'\"`#é🦊%\u2028\x0b"), max_size=8)
VALUE = SCRAP | st.sampled_from(["", "${HOME}", "{spec}", "{{x}}", "}}", "\n", "a\nb\n", "/users/{id}", "$(x)"])
PARTS = st.lists(SCRAP | st.integers(0, 3), max_size=8)


def template_of(parts: list[str | int]) -> Template:
    """Text as it is; a number is a reference to the input of that name."""
    made = [
        Text(part) if isinstance(part, str) else Reference(InputTarget(str(part)), f"{{{part}}}", NOWHERE)
        for part in parts
    ]
    return Template(tuple(made), NOWHERE)


def value_of(values: list[str]) -> Callable[[Reference], str]:
    def look_up(reference: Reference) -> str:
        assert isinstance(reference.target, InputTarget)
        return values[int(reference.target.name)]

    return look_up


def naive(parts: list[str | int], values: list[str]) -> str:
    """The rule by characters: cut behind each line end of the text alone, then look at each line."""
    lines: list[list[str | int]] = [[]]
    text_before = ""
    for part in parts:
        for piece in [part] if isinstance(part, int) else list(part):
            starts_new = text_before.endswith(("\n", "\r")) and not (text_before.endswith("\r") and piece == "\n")
            if starts_new:
                lines.append([])
            lines[-1].append(piece)
            text_before = piece if isinstance(piece, str) else ""
    kept = []
    for line in lines:
        shown = "".join(values[p] if isinstance(p, int) else p for p in line)
        if any(isinstance(p, int) for p in line) and not shown.strip():
            continue
        kept.append(shown)
    return "".join(kept)


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(parts=PARTS, values=st.lists(VALUE, min_size=4, max_size=4))
def test_only_lines_of_empty_references_are_dropped(parts: list[str | int], values: list[str]) -> None:
    assert substitute(template_of(parts), value_of(values)) == naive(parts, values)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(before=SCRAP, value=VALUE, after=SCRAP)
def test_a_value_comes_out_as_it_went_in(before: str, value: str, after: str) -> None:
    template = template_of([before + "<", 0, ">" + after])
    assert substitute(template, value_of([value])) == f"{before}<{value}>{after}"


@settings(max_examples=300, deadline=None, derandomize=True)
@given(text=SCRAP)
def test_text_without_references_stays(text: str) -> None:
    assert substitute(Template((Text(text),) if text else (), NOWHERE), value_of([])) == text


PLAIN = st.text(st.characters(exclude_characters="{}$"), max_size=8)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    text=st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3).map(lambda parts: "{" + "".join(parts) + "}"))
)
def test_braces_that_match_can_be_written_doubled(text: str) -> None:
    written = text.replace("{", "{{").replace("}", "}}")
    assert "".join(part for part in parse_template(written) if isinstance(part, str)) == text
    assert all(isinstance(part, str) for part in parse_template(written))
