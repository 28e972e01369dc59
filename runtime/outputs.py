"""Reads what an agent produced: a split's tasks, a validation's verdict, an artifact's text.

All of it is foreign: it comes from a file in `.gump/out`, else from the agent's structured output, else from its final
message, and may be anything. Whatever is wrong becomes an `OutputError`, whose text goes into the next attempt's
prompt: it names the place, what is wrong there and what was expected. Nothing here raises on bad content.

A file that is there is the answer, even a bad one: an agent that wrote a broken plan and chats about another one has
not told which it means.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gumpc.tasks import Task
from runtime.foreign_text import OutputError, all_faults, decoded, field_name, json_value, kind_of, reason_of
from runtime.json_search import find_json
from runtime.task_list import TASKS_EXPECTED, parse_tasks, tasks_text

__all__ = [
    "FILES",
    "FOLDER",
    "Judgement",
    "Output",
    "OutputError",
    "OutputType",
    "parse_artifact",
    "parse_tasks",
    "parse_verdict",
    "read_output",
    "tasks_text",
]

OutputType = Literal["split", "validate", "artifact"]

FOLDER = ".gump/out"
FILES: Mapping[OutputType, tuple[str, ...]] = {
    "split": ("plan.json",),
    "validate": ("validate.json", "review.json"),
    "artifact": ("artifact.txt",),
}
"""The files of each type, the one to use first, and the one of edition 3 after it."""
VERDICT_EXPECTED = '{"pass": true or false, "comments": "…"}'


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


def parse_verdict(text: str | bytes) -> Judgement | OutputError:
    """A validation's verdict: `{"pass": bool, "comments": str}`, or with `comment` as in edition 3."""
    value = json_value(text)
    if isinstance(value, OutputError):
        return value
    if not isinstance(value, dict):
        return OutputError(f"not a verdict but {kind_of(value)}; expected {VERDICT_EXPECTED}")
    try:
        draft = _VerdictDraft.model_validate(value)
    except ValidationError as error:
        return all_faults(
            f"{field_name(e['loc'])}: {reason_of(e)}; expected {VERDICT_EXPECTED}" for e in error.errors()
        )
    comments = draft.comments or draft.comment or ""
    return OutputError("field `comments`: holds a NUL character") if "\0" in comments else draft.judgement(comments)


def parse_artifact(text: str | bytes) -> str | OutputError:
    """An artifact's text as it is; one of white space alone is an error."""
    found = decoded(text)
    if isinstance(found, OutputError):
        return found
    if not found.strip():
        return OutputError("empty; expected the artifact's text")
    return OutputError("holds a NUL character; expected text") if "\0" in found else found


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
