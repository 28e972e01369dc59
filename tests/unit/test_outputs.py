from __future__ import annotations

import codecs
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gumpc.tasks import Task
from runtime.files import UnreadableFile
from runtime.foreign_text import MAX_BYTES
from runtime.outputs import (
    Judgement,
    Output,
    OutputError,
    OutputType,
    parse_artifact,
    parse_tasks,
    parse_verdict,
    read_output,
    tasks_text,
)

PLAN = '[{"name": "a", "description": "do a"}]'


def task(name: str = "a", **fields: Any) -> dict[str, Any]:
    return {"name": name, "description": "do it", **fields}


def fault(*tasks: object) -> str:
    found = parse_tasks(json.dumps(tasks))
    assert isinstance(found, OutputError)
    return found.message


def read(files: dict[str, bytes], step_type: OutputType = "split", message: str = "", structured: object = None) -> str:
    """The output's text, or its error after `ERROR`."""
    found = read_output(step_type, read=files.get, message=message, structured=structured)
    return f"ERROR {found.message}" if isinstance(found, OutputError) else found.text


def test_tasks_are_read_with_normal_paths_and_each_entry_once() -> None:
    text = json.dumps([task("a"), task("b", files=["./src//x.py", "src/x.py", "docs/"], needs=["a", "a"])])
    assert parse_tasks(text) == (Task("a", "do it"), Task("b", "do it", ("src/x.py", "docs"), ("a",)))


def test_optional_fields_may_be_null_and_the_list_may_be_wrapped() -> None:
    text = json.dumps({"tasks": [task(files=None, needs=None, priority=3)]})
    assert parse_tasks(text) == (Task("a", "do it"),)


def test_no_task_at_all_is_a_valid_plan() -> None:
    assert parse_tasks("[]") == ()


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ([task("a"), {"description": "x"}], "task 2, field `name`: missing"),
        ([{"name": "a"}], "task 1 (a), field `description`: missing"),
        ([task(description=3)], "task 1 (a), field `description`: not a string but a number"),
        ([task(description=" \n")], "task 1 (a), field `description`: empty"),
        ([task(description="x\0y")], "task 1 (a), field `description`: holds a NUL"),
        ([task(files="x.py")], "task 1 (a), field `files`: not a list of strings but a string"),
        ([task(files=["x", None])], "task 1 (a), field `files[1]`: not a string but null"),
        ([task(files=["", "x"])], "task 1 (a), field `files[0]`: empty"),
        ([task(files=["a/../../x"])], 'field `files[0]`: "a/../../x" leaves the repository'),
        ([task(files=["/etc/passwd"])], 'field `files[0]`: "/etc/passwd" leaves the repository'),
        ([task(files=["a\nb"])], 'field `files[0]`: "a\\nb" holds a control character'),
        ([task("../x")], 'task 1, field `name`: "../x" is not allowed'),
        ([task("-x")], "task 1, field `name`"),
        ([task("a\n")], "task 1, field `name`"),
        ([task("é")], "task 1, field `name`"),
        ([task("x" * 65)], "task 1, field `name`"),
        ([task("a"), task("b"), task("a")], "task 3 (a), field `name`: task 1 has the same name"),
        ([task("a", needs=["b"])], 'task 1 (a), field `needs[0]`: no task is named "b"'),
        ([task("a", needs=["a"])], "need each other: a → a"),
        ([task("x", needs=["a"]), task("a", needs=["b"]), task("b", needs=["a"])], "need each other: a → b → a"),
        ([3], "task 1: not an object but a number"),
        ([[]], "task 1: not an object but a list"),
        ([task(file=["x.py"])], "task 1 (a): unknown field `file`; expected `files`"),
        ([task(depends_on=["b"])], "task 1 (a): unknown field `depends_on`; expected `needs`"),
    ],
)
def test_each_fault_of_a_task_is_told_with_its_place(tasks: list[object], expected: str) -> None:
    assert expected in fault(*tasks)


def test_all_faults_are_told_up_to_a_limit() -> None:
    lines = fault(*[task(description="") | {"name": f"t{n}"} for n in range(15)]).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "and 5 more faults"


def test_a_long_chain_of_needs_is_fine() -> None:
    chain = [task(f"t{n}", needs=[f"t{n - 1}"] if n else []) for n in range(1_000)]
    assert isinstance(parse_tasks(json.dumps(chain)), tuple)


def test_floods_of_faults_are_one_short_error() -> None:
    assert parse_tasks(b"[" + b"3," * 4_000_000 + b"3]") == OutputError("4,000,001 tasks; expected at most 1,000")
    assert fault(task(files=[3] * 1_000_000)) == "task 1 (a), field `files[0]`: not a string but a number"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\xff[]", "not UTF-8: byte 0xff at offset 0"),
        (PLAN.encode("utf-16"), "not UTF-8 but UTF-16"),
        (codecs.BOM_UTF32_BE + b"\0\0\0[", "not UTF-8 but UTF-16 or UTF-32"),
        (b"[NaN]", "not JSON"),
        (b"[Infinity]", "not JSON"),
        (b'["\\ud800"]', "not JSON"),
        (b"[" * 100_000, "not JSON: recursion limit"),
        (b'{"a":' * 100_000, "not JSON: recursion limit"),
        (b"9" * 5_000, "not JSON"),
        (b'[{"name": "a"', "not JSON"),
        (PLAN.encode() + b" and so on", "not JSON"),
        (b" " * (MAX_BYTES + 1), "larger than 10 MB"),
        (b"true", "a boolean"),
        (b'"text"', "a string"),
        (b"null", "null"),
        ('"\udc80"', "holds a lone surrogate at offset 1"),
    ],
)
def test_hostile_files_are_named_faults_in_each_json_output(data: str | bytes, expected: str) -> None:
    for parse in (parse_tasks, parse_verdict):
        found = parse(data)
        assert isinstance(found, OutputError)
        assert expected in found.message


def test_a_utf8_byte_order_mark_is_no_fault() -> None:
    assert isinstance(parse_tasks(codecs.BOM_UTF8 + PLAN.encode()), tuple)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"pass": true, "comments": "fine"}', Judgement(True, "fine")),
        ('{"pass": false, "comment": "no tests"}', Judgement(False, "no tests")),
        ('{"pass": false}', Judgement(False)),
        ('{"pass": true, "comments": null, "score": 3}', Judgement(True)),
    ],
)
def test_verdicts(text: str, expected: Judgement) -> None:
    assert parse_verdict(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"pass": "true"}', "field `pass`: not a boolean but a string"),
        ('{"pass": 1}', "field `pass`: not a boolean but a number"),
        ("{}", "field `pass`: missing"),
        ('{"pass": true, "comments": ["x"]}', "field `comments`: not a string but a list"),
        ('{"pass": true, "comments": "\\u0000"}', "NUL"),
        ("[true]", "a list"),
    ],
)
def test_verdict_faults(text: str, expected: str) -> None:
    found = parse_verdict(text)
    assert isinstance(found, OutputError)
    assert expected in found.message


def test_artifacts_are_kept_as_they_are() -> None:
    assert parse_artifact(b"# Title\n\ntext \n") == "# Title\n\ntext \n"
    for data in (b"", b"\n \n", b"a\0b", b"\xc3("):
        assert isinstance(parse_artifact(data), OutputError)


def test_the_file_is_the_answer_even_a_bad_one() -> None:
    files = {".gump/out/plan.json": b"[{}]"}
    assert read(files, message=PLAN, structured=json.loads(PLAN)).startswith("ERROR .gump/out/plan.json: task 1, ")


def test_edition_3_reviews_are_verdicts() -> None:
    assert read({".gump/out/review.json": b'{"pass": false, "comment": "x"}'}, "validate") == "false"


def test_structured_output_comes_before_the_message() -> None:
    assert read({}, "validate", message='{"pass": true}', structured={"pass": False}) == "false"
    assert "not JSON" in read({}, "validate", structured={"pass": {1, 2}})


@pytest.mark.parametrize(
    "message",
    [
        PLAN,
        f"Here is the plan.\n\n```json\n{PLAN}\n```\nTell me what you think.",
        f"Plan:\n~~~~\n{PLAN}\n~~~~",
        f"```\n{PLAN}",
        f"I wrote {PLAN} for you [as asked], see [x](y).",
        f'First draft: [{{"name": "z", "description": "old"}}]. Better: {PLAN}',
        f'```json\n{{"example": 1}}\n```\n{{"tasks": {PLAN}}}',
        f"- [ ] one\n- [x] two\n{PLAN}\n- [ ] three",
        f"{'[' * 5_000} {PLAN}",
    ],
)
def test_tasks_are_found_in_the_final_message(message: str) -> None:
    assert read({}, message=message) == tasks_text((Task("a", "do a"),))


@pytest.mark.parametrize(
    "message", ["", "Done.", "- [ ] write it", '{"name": "a"}', "```json\n```", "[1, 2]", "[" * 10**6]
)
def test_a_message_without_tasks_is_a_named_fault(message: str) -> None:
    assert read({}, message=message).startswith("ERROR no .gump/out/plan.json, and the final message has no such JSON")


def test_bad_tasks_in_the_message_are_told() -> None:
    assert 'no task is named "zz"' in read({}, message=f"Here: {json.dumps([task(needs=['zz'])])}")


def test_a_missing_artifact_is_the_final_message() -> None:
    assert read({}, "artifact", message="The answer.") == "The answer."
    assert "the final message: empty" in read({}, "artifact", message="")


def test_a_file_that_can_not_be_read_is_a_named_fault() -> None:
    def refuse(path: str) -> bytes | None:
        raise UnreadableFile(f"{path} is not a regular file")

    found = read_output("split", read=refuse, message=PLAN)
    assert isinstance(found, OutputError)
    assert "is not a regular file" in found.message


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["name", "description", "files", "needs", "pass", "comments", "x"]), inner)
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.lists(NAMES, unique=True, max_size=6), st.data())
def test_tasks_come_back_from_their_text(names: list[str], data: st.DataObject) -> None:
    words = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), min_size=1)
    tasks = tuple(
        Task(name, data.draw(words.filter(str.strip)), ("src/x.py",), tuple(names[:index]))
        for index, name in enumerate(names)
    )
    assert parse_tasks(tasks_text(tasks)) == tasks


@settings(max_examples=300, deadline=None)
@given(JSON, st.sampled_from(["split", "validate", "artifact"]))
def test_any_json_is_an_output_or_a_named_fault(value: object, step_type: OutputType) -> None:
    text = json.dumps(value)
    for found in (
        read_output(step_type, read=lambda _: text.encode(), message=""),
        read_output(step_type, read=lambda _: None, message=text),
        read_output(step_type, read=lambda _: None, message="", structured=value),
    ):
        assert isinstance(found, Output) or found.message


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=12), st.integers(0, 200), st.integers(0, 12), st.sampled_from(["split", "validate"]))
def test_mutated_outputs_never_raise(junk: bytes, start: int, width: int, step_type: OutputType) -> None:
    valid = json.dumps([task("a", files=["src/a.py"]), task("b", needs=["a"])])
    if step_type == "validate":
        valid = '{"pass": true, "comments": "well done"}'
    data = valid.encode()[:start] + junk + valid.encode()[start + width :]
    message = data.decode("utf-8", "surrogateescape")
    for found in (
        read_output(step_type, read=lambda _: data, message=""),
        read_output(step_type, read=lambda _: None, message=f"Here: {message}"),
    ):
        assert isinstance(found, Output) or found.message
