"""Reads what an agent produced: a split's tasks, a validation's verdict, an artifact's text.

All of it is foreign: it comes from a file in `.gump/out`, else from the agent's structured output, else from its final
message, and may be anything. Whatever is wrong becomes an `OutputError`, whose text goes into the next attempt's
prompt: it names the place, what is wrong there and what was expected. Nothing here raises on bad content.

A file that is there is the answer, even a bad one: an agent that wrote a broken plan and chats about another one has
not told which it means. Keys that nobody asked for are ignored, since agents like to add some; but a well-known
misspelling of an optional key is refused, because ignoring it would drop a task's limits or order in silence.
"""

from __future__ import annotations

import codecs
import json
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from gumpc.tasks import Task
from runtime.json_search import find_json

OutputType = Literal["split", "validate", "artifact"]

MAX_BYTES = 10 * 2**20
"""The largest output that is read."""
MAX_FAULTS = 10
"""How many faults of one output are told."""
FOLDER = ".gump/out"
FILES: Mapping[OutputType, tuple[str, ...]] = {
    "split": ("plan.json",),
    "validate": ("validate.json", "review.json"),
    "artifact": ("artifact.txt",),
}
"""The files of each type, the one to use first, and the one of edition 3 after it."""
TASKS_EXPECTED = '[{"name": "…", "description": "…", "files": ["…"], "needs": ["…"]}]'
VERDICT_EXPECTED = '{"pass": true or false, "comments": "…"}'
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class OutputError:
    """Why an output can't be used; `message` has one line per fault."""

    message: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a validate step found."""

    passed: bool
    comments: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """What a step's state holds as `output`, and the parsed form of a split's or a validation's."""

    text: str
    tasks: tuple[Task, ...] = ()
    judgement: Judgement | None = None


def read_output(
    step_type: OutputType, *, read: Callable[[str], bytes | None], message: str, structured: object | None = None
) -> Output | OutputError:
    """The output of an agent that has ended.

    `read` gives a file of the agent's directory by its path from there, or None where there is none; an OSError of it
    becomes part of the error. `message` is the agent's final message, `structured` the object that its CLI returned
    for an output schema, if any.
    """
    for name in FILES[step_type]:
        path = f"{FOLDER}/{name}"
        try:
            data = read(path)
        except OSError as error:
            return OutputError(f"{path} can't be read: {error}")
        if data is not None:
            return _named(path, _parse(step_type, data))
    if structured is not None:
        return _named("the structured output", _parse(step_type, _dumped(structured)))
    return _from_message(step_type, message)


def parse_tasks(text: str | bytes) -> tuple[Task, ...] | OutputError:
    """The tasks of a split, checked by the rules of the language.

    The text is a JSON array of objects, or an object that holds it as `tasks` (schemas of some CLIs must be objects).
    Paths in `files` come out normal: `./src//a.py` is `src/a.py`.
    """
    value = _json(text)
    if isinstance(value, OutputError):
        return value
    if isinstance(value, dict) and "tasks" in value:
        value = value["tasks"]
    if not isinstance(value, list):
        return OutputError(f"not a list of tasks but {_kind(value)}; expected {TASKS_EXPECTED}")
    try:
        drafts = _DRAFTS.validate_python(value)
    except ValidationError as error:
        return _faults(_shape_fault(detail, value) for detail in error.errors(include_url=False))
    faults = _faults(_task_faults(drafts))
    return faults if faults.message else tuple(draft.task() for draft in drafts)


def parse_verdict(text: str | bytes) -> Judgement | OutputError:
    """A validation's verdict: `{"pass": bool, "comments": str}`, or with `comment` as in edition 3."""
    value = _json(text)
    if isinstance(value, OutputError):
        return value
    if not isinstance(value, dict):
        return OutputError(f"not a verdict but {_kind(value)}; expected {VERDICT_EXPECTED}")
    try:
        draft = _VerdictDraft.model_validate(value)
    except ValidationError as error:
        return _faults(f"{_field(e['loc'])}: {_reason(e)}; expected {VERDICT_EXPECTED}" for e in error.errors())
    comments = draft.comments or draft.comment or ""
    return OutputError("field `comments`: holds a NUL character") if "\0" in comments else draft.judgement(comments)


def parse_artifact(text: str | bytes) -> str | OutputError:
    """An artifact's text as it is; one of white space alone is an error."""
    decoded = _decoded(text)
    if isinstance(decoded, OutputError):
        return decoded
    if not decoded.strip():
        return OutputError("empty; expected the artifact's text")
    return OutputError("holds a NUL character; expected text") if "\0" in decoded else decoded


def tasks_text(tasks: tuple[Task, ...]) -> str:
    """The tasks as the one JSON text that a split's `output` holds: the same tasks always give the same text."""
    rows = [
        {"name": t.name, "description": t.description, "files": list(t.files), "needs": list(t.needs)} for t in tasks
    ]
    return json.dumps(rows, ensure_ascii=False, indent=2)


class _Draft(BaseModel):
    """A task as agents write it, before the rules that look at its values."""

    model_config = ConfigDict(strict=True)
    name: str
    description: str
    files: list[str] | None = None
    needs: list[str] | None = None

    def task(self) -> Task:
        files = tuple(dict.fromkeys(posixpath.normpath(path) for path in self.files or ()))
        return Task(self.name, self.description, files, tuple(dict.fromkeys(self.needs or ())))


_DRAFTS = TypeAdapter(list[_Draft])


class _VerdictDraft(BaseModel):
    model_config = ConfigDict(strict=True)
    passed: bool = Field(alias="pass")
    comments: str | None = None
    comment: str | None = None

    def judgement(self, comments: str) -> Judgement:
        return Judgement(self.passed, comments)


def _parse(step_type: OutputType, data: str | bytes | OutputError) -> Output | OutputError:
    if isinstance(data, OutputError):
        return data
    if step_type == "split":
        tasks = parse_tasks(data)
        return tasks if isinstance(tasks, OutputError) else Output(tasks_text(tasks), tasks=tasks)
    if step_type == "validate":
        found = parse_verdict(data)
        return found if isinstance(found, OutputError) else Output(str(found.passed).lower(), judgement=found)
    text = parse_artifact(data)
    return text if isinstance(text, OutputError) else Output(text)


def _from_message(step_type: OutputType, message: str) -> Output | OutputError:
    missing = f"no {FOLDER}/{FILES[step_type][0]}"
    if step_type == "artifact":
        return _named(f"{missing}; the final message", _parse(step_type, message))
    fits, expected = (_is_tasks, TASKS_EXPECTED) if step_type == "split" else (_is_verdict, VERDICT_EXPECTED)
    found = find_json(message, fits)
    if found is None:
        return OutputError(f"{missing}, and the final message has no such JSON; expected {expected}")
    return _named(f"{missing}; the final message", _parse(step_type, found))


def _is_tasks(value: object, *, alone: bool) -> bool:
    """A list of objects. An empty one must stand alone: `[ ]` in prose is a check box, not a plan without tasks."""
    rows = value["tasks"] if isinstance(value, dict) and "tasks" in value else value
    return isinstance(rows, list) and (alone or bool(rows)) and all(isinstance(row, dict) for row in rows)


def _is_verdict(value: object, *, alone: bool) -> bool:
    return isinstance(value, dict) and "pass" in value


def _named(source: str, output: Output | OutputError) -> Output | OutputError:
    return OutputError(f"{source}: {output.message}") if isinstance(output, OutputError) else output


def _dumped(value: object) -> str | OutputError:
    try:
        return json.dumps(value)
    except (ValueError, TypeError, RecursionError) as error:
        return OutputError(f"not JSON: {error}")


_WIDE = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def _decoded(data: str | bytes) -> str | OutputError:
    if len(data) > MAX_BYTES:
        return OutputError(f"larger than {MAX_BYTES // 2**20} MB")
    if isinstance(data, str):
        return data
    if data.startswith(_WIDE):
        return OutputError("not UTF-8 but UTF-16 or UTF-32; expected UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return OutputError(f"not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start:,}")


def _json(data: str | bytes) -> object:
    """The JSON value, or an `OutputError`."""
    text = _decoded(data)
    if isinstance(text, OutputError):
        return text
    if not text.strip():
        return OutputError("empty; expected JSON")
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        return OutputError(f"not JSON: {error}")


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _faults(messages: Iterator[str]) -> OutputError:
    """All faults as one error, the first `MAX_FAULTS` of them written out; without any, its message is empty."""
    found = list(messages)
    more = [f"and {len(found) - MAX_FAULTS:,} more faults"] if len(found) > MAX_FAULTS else []
    return OutputError("\n".join(found[:MAX_FAULTS] + more))


def _shape_fault(detail: ErrorDetails, tasks: list[object]) -> str:
    index = int(detail["loc"][0])
    field = _field(detail["loc"][1:])
    return f"{_place(index, tasks[index])}{field and ', '}{field}: {_reason(detail)}"


def _place(index: int, task: object) -> str:
    """Where a task stands, counted from 1 as people do, with its name where it has one that is fit to be shown."""
    name = task.get("name") if isinstance(task, dict) else None
    return f"task {index + 1} ({name})" if isinstance(name, str) and NAME.fullmatch(name) else f"task {index + 1}"


def _field(location: tuple[str | int, ...]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else str(part) for part in location)
    return f"field `{path}`" if path else ""


_REASONS = {
    "missing": "missing; expected {wanted}",
    "model_type": "not an object but {kind}; expected {wanted}",
    "string_type": "not a string but {kind}",
    "bool_type": "not a boolean but {kind}",
    "list_type": "not a list of strings but {kind}",
}


def _reason(detail: ErrorDetails) -> str:
    wanted = "an object with `name` and `description`" if detail["type"] == "model_type" else "a value"
    template = _REASONS.get(detail["type"])
    if template is None:
        return detail["msg"]
    return template.format(kind=_kind(detail["input"]), wanted=wanted)


def _task_faults(drafts: list[_Draft]) -> Iterator[str]:
    names = {draft.name: index for index, draft in reversed(list(enumerate(drafts)))}
    for index, draft in enumerate(drafts):
        place = _place(index, {"name": draft.name})
        yield from (f"{place}, {fault}" for fault in _name_faults(draft.name, index, names))
        if not draft.description.strip():
            yield f"{place}, field `description`: empty; expected what to do"
        elif "\0" in draft.description:
            yield f"{place}, field `description`: holds a NUL character"
        for number, path in enumerate(draft.files or ()):
            fault = path_fault(path)
            if fault:
                yield f"{place}, field `files[{number}]`: {fault}"
        for number, need in enumerate(draft.needs or ()):
            if need not in names:
                yield f"{place}, field `needs[{number}]`: no task is named {_shown(need)}"
    cycle = _cycle({draft.name: tuple(draft.needs or ()) for draft in drafts})
    if cycle:
        yield f"tasks that need each other: {' → '.join(cycle)}; expected an order without a circle"


def _name_faults(name: str, index: int, names: Mapping[str, int]) -> Iterator[str]:
    if not NAME.fullmatch(name):
        yield (
            f"field `name`: {_shown(name)} is not allowed; expected 1 to 64 letters, digits, `.`, `_` or `-`, "
            "the first a letter or digit"
        )
    elif names[name] != index:
        yield f"field `name`: task {names[name] + 1} has the same name; expected each name once"


def path_fault(path: str) -> str:
    """What is wrong with a path of the repository, or an empty string."""
    if not path.strip():
        return "empty; expected a path"
    if not path.isprintable():
        return f"{_shown(path)} holds a control character; expected a path"
    if path.startswith("/") or ".." in path.split("/"):
        return f"{_shown(path)} leaves the repository; expected a path from its root"
    return ""


def _shown(text: str) -> str:
    """Foreign text for a message: short, on one line, unambiguous."""
    return json.dumps(text if len(text) <= 80 else f"{text[:79]}…", ensure_ascii=False)


def _cycle(needs: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """One circle of tasks, its first one repeated at the end; empty when there is none."""
    left = {name: {n for n in wanted if n in needs} for name, wanted in needs.items()}
    while free := [name for name, wanted in left.items() if not wanted]:
        for name in free:
            del left[name]
        for wanted in left.values():
            wanted.difference_update(free)
    if not left:
        return ()
    walked: dict[str, None] = {}
    name = next(iter(left))
    while name not in walked:
        walked[name] = None
        name = min(left[name])
    path = tuple(walked)
    return (*path[path.index(name) :], name)
