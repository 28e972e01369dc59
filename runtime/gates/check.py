"""What a gate is given: the check to make, the subject to judge, and the bench to run commands on.

All three are plain values. The caller has rendered templates and knows git; a gate knows neither, and asks for the
tree's folder only when it has something to execute, since to materialise a tree is the dear part.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runtime.process import Command, Exit

Stop = Callable[[], bool]
Run = Callable[[Command, Stop], Exit]


@dataclass(frozen=True, slots=True)
class Check:
    """One gate of a step.

    `script` is the command of a `bash` gate, in which references are shell variables; `values` holds these. `globs` are
    of `touched` and `untouched`, `threshold` is of `coverage`, in percent. `number` counts the step's gates from 1.
    """

    kind: str
    name: str
    script: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    globs: tuple[str, ...] = ()
    threshold: float | None = None
    number: int = 1


@dataclass(frozen=True, slots=True)
class Subject:
    """What is judged: the whole change of a step, from before its first attempt to now.

    `changed` are the paths that differ between the step's start (in a gate step: the run's) and the tree judged, `read`
    gives a file's text of that tree. `output` is the step's: of a split the tasks' JSON text.
    """

    step_type: str
    changed: tuple[str, ...]
    read: Callable[[str], str | None]
    output: str = ""


@dataclass(frozen=True, slots=True)
class Bench:
    """Where and how commands run.

    `directory` materialises the tree judged. `environment` is all that commands get, but for what `commands` adds.
    `configured` holds the config's commands, `timeout` is in seconds per command. Output is kept in the existing folder
    `artifacts`, as `<number>-<name>.stdout`, `.stderr` and `.exit`. `run` carries a command out; it stops when the
    function it is given says so, and may stop for reasons of its own. `error_limit` is in characters.
    """

    directory: Callable[[], Path]
    environment: Mapping[str, str]
    artifacts: Path
    run: Run
    configured: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 600.0
    clock: Callable[[], float] = time.monotonic
    error_limit: int = 2_000


class GateStopped(Exception):
    """The run ended a gate's command: there is no verdict, and the gate is to be judged again on resume."""
