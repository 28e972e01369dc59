"""A split's tasks, from the JSON that an agent wrote: checked by the rules of the language, every fault with its place.

Shapes are pydantic's business, values ours. Keys that nobody asked for are ignored, since agents like to add some; but
a well-known misspelling of an optional key is refused: ignoring it would drop a task's limits or order in silence.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from gumpc.tasks import Task
from runtime.foreign_text import OutputError, all_faults, field_name, json_value, kind_of, reason_of

TASKS_EXPECTED = '[{"name": "…", "description": "…", "files": ["…"], "needs": ["…"]}]'
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MAX_TASKS = 1_000
"""Tasks of one split; a plan with more is a mistake, and each costs money."""
MISSPELT = {
    "file": "files",
    "paths": "files",
    "need": "needs",
    "depends_on": "needs",
    "dependencies": "needs",
    "requires": "needs",
}


def parse_tasks(text: str | bytes) -> tuple[Task, ...] | OutputError:
    """The tasks of a split, checked by the rules of the language.

    The text is a JSON array of objects, or an object that holds it as `tasks` (schemas of some CLIs must be objects).
    Paths in `files` come out normal: `./src//a.py` is `src/a.py`.
    """
    value = json_value(text)
    if isinstance(value, OutputError):
        return value
    if isinstance(value, dict) and "tasks" in value:
        value = value["tasks"]
    if not isinstance(value, list):
        return OutputError(f"not a list of tasks but {kind_of(value)}; expected {TASKS_EXPECTED}")
    if len(value) > MAX_TASKS:
        return OutputError(f"{len(value):,} tasks; expected at most {MAX_TASKS:,}")
    try:
        drafts = _DRAFTS.validate_python(value)
    except ValidationError as error:
        return all_faults(_shape_fault(detail, value) for detail in error.errors(include_url=False))
    faults = all_faults(_task_faults(drafts))
    return faults if faults.message else tuple(draft.task() for draft in drafts)


def tasks_text(tasks: tuple[Task, ...]) -> str:
    """The tasks as the one JSON text that a split's `output` holds: the same tasks always give the same text."""
    rows = [
        {"name": t.name, "description": t.description, "files": list(t.files), "needs": list(t.needs)} for t in tasks
    ]
    return json.dumps(rows, ensure_ascii=False, indent=2)


class _Draft(BaseModel):
    """A task as agents write it, before the rules that look at its values."""

    model_config = ConfigDict(strict=True, extra="allow")
    name: str
    description: str
    # One fault per list is enough: a list of a million numbers would give a million.
    files: list[str] | None = Field(default=None, fail_fast=True)
    needs: list[str] | None = Field(default=None, fail_fast=True)

    def task(self) -> Task:
        files = tuple(dict.fromkeys(posixpath.normpath(path) for path in self.files or ()))
        return Task(self.name, self.description, files, tuple(dict.fromkeys(self.needs or ())))


_DRAFTS = TypeAdapter(list[_Draft])


def _shape_fault(detail: ErrorDetails, tasks: list[object]) -> str:
    index = int(detail["loc"][0])
    field = field_name(detail["loc"][1:])
    return f"{_place(index, tasks[index])}{field and ', '}{field}: {reason_of(detail)}"


def _place(index: int, task: object) -> str:
    """Where a task stands, counted from 1 as people do, with its name where it has one that is fit to be shown."""
    name = task.get("name") if isinstance(task, dict) else None
    return f"task {index + 1} ({name})" if isinstance(name, str) and NAME.fullmatch(name) else f"task {index + 1}"


def _task_faults(drafts: list[_Draft]) -> Iterator[str]:
    names = {draft.name: index for index, draft in reversed(list(enumerate(drafts)))}
    for index, draft in enumerate(drafts):
        place = _place(index, {"name": draft.name})
        yield from (f"{place}, {fault}" for fault in _name_faults(draft.name, index, names))
        for key in sorted((draft.model_extra or {}).keys() & MISSPELT):
            yield f"{place}: unknown field `{key}`; expected `{MISSPELT[key]}`"
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
