"""Where runs live: `.gump/runs/<run id>/`, and an index of them that can always be made again from the folders.

A run's id is a UUIDv7, so ids sort by the time they were made and `latest` needs no clock. The folders are the truth
and the index a redundant, faster copy: a run that the index does not know is read from its ledger, one whose folder is
gone is not listed. Reading creates nothing, so `gumpc status` in a fresh repository leaves no trace.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from runtime.files import LockHeld, lock_holder, read_limited, sync_folder, write_whole
from runtime.ledger import LOCK_NAME, LedgerDamaged, read

LATEST = "latest"
INDEX_NAME = "index.ndjson"
INDEX_LIMIT = 64 * 2**20
"""Bytes: an index larger than this (some 300,000 runs) is not read, and the folders are."""

_RUN_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_STEP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class UnknownRun(LookupError):
    """No run has this id, or begins with this text, or none exists at all."""

    def __init__(self, text: str) -> None:
        super().__init__("there are no runs yet" if text == LATEST else f"no run has an id that begins with `{text}`")
        self.text = text


class AmbiguousRun(LookupError):
    """Several runs begin with this text; `candidates` are their ids, oldest first."""

    def __init__(self, text: str, candidates: tuple[str, ...]) -> None:
        super().__init__(f"`{text}` may be any of {len(candidates)} runs: {', '.join(candidates)}")
        self.text = text
        self.candidates = candidates


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The folder of one run, and the paths in it."""

    path: Path

    @property
    def id(self) -> str:
        """The run's id."""
        return self.path.name

    @property
    def manifest(self) -> Path:
        """The ledger."""
        return self.path / "manifest.ndjson"

    @property
    def state(self) -> Path:
        """The state after the last step, replaced as a whole."""
        return self.path / "state.json"

    @property
    def workflow(self) -> Path:
        """The workflow as it was when the run started."""
        return self.path / "workflow-snapshot.yaml"

    @property
    def plan(self) -> Path:
        """The plan."""
        return self.path / "plan.json"

    @property
    def context(self) -> Path:
        """The content of each context source when the run started."""
        return self.path / "context-snapshot.json"

    @property
    def spec(self) -> Path:
        """The spec's text when the run started."""
        return self.path / "spec.md"

    @property
    def artifacts(self) -> Path:
        """Prompts, raw streams, diffs and gate output, by step and attempt."""
        return self.path / "artifacts"

    def attempt_folder(self, step: str, attempt: int) -> Path:
        """Where attempt `attempt` (from 1) of the step at path `step` (`decompose/auth/red`) keeps its artifacts.

        Creates nothing. Raises ValueError for a path with a segment that could lead elsewhere.
        """
        names = step.split("/")
        if attempt < 1 or not all(_STEP_NAME.fullmatch(name) for name in names):
            raise ValueError(f"no folder for attempt {attempt} of {step!r}")
        return self.artifacts.joinpath(*names, f"attempt-{attempt}")

    def create_attempt_folder(self, step: str, attempt: int) -> Path:
        """The same folder, made if it is missing."""
        folder = self.attempt_folder(step, attempt)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def writer(self) -> LockHeld | None:
        """The live process that writes this run (its `pid`), or None."""
        return lock_holder(self.path / LOCK_NAME)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What lists show of a run; an empty text is unknown, and `status` is empty until the run has ended or paused."""

    id: str
    workflow: str = ""
    spec: str = ""
    started: str = ""
    status: str = ""


@dataclass(slots=True)
class RunIds:
    """Makes UUIDv7 ids that grow within a process, even if the clock stands still or goes back (RFC 9562, 6.2)."""

    clock: Callable[[], int] = time.time_ns
    entropy: Callable[[int], bytes] = os.urandom
    _last: int = 0

    def next(self) -> str:
        """A new id: 48 bits of milliseconds, a 12-bit counter that starts below its middle, 62 random bits."""
        start = int.from_bytes(self.entropy(2), "big") & 0x7FF
        self._last = max(self.clock() // 1_000_000 << 12 | start, self._last + 1)
        tail = int.from_bytes(self.entropy(8), "big") & (1 << 62) - 1
        return str(UUID(int=self._last >> 12 << 80 | 7 << 76 | (self._last & 0xFFF) << 64 | 2 << 62 | tail))


_ids = RunIds()


def runs_folder(root: Path) -> Path:
    """Where the runs of the repository at `root` are."""
    return root / ".gump" / "runs"


def create_run(root: Path, *, workflow: str, spec: str, started: str) -> RunDirectory:
    """Make the folder of a new run in the repository at `root` and enter it in the index.

    Args:
        workflow: the workflow's name.
        spec: the spec's path as the user gave it.
        started: the moment, as `runtime.ledger.rfc3339` writes it.

    Raises:
        OSError: the folder can't be made.
    """
    folder = runs_folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    run = RunDirectory(folder / _ids.next())
    run.artifacts.mkdir(parents=True)
    for made in (run.path, folder, folder.parent, root):
        sync_folder(made)
    _append_to_index(root, _as_entry(RunSummary(run.id, workflow, spec, started)))
    return run


def record_status(root: Path, run_id: str, status: str) -> None:
    """Add to the index how a run ended or paused; an empty status says that it goes on."""
    _append_to_index(root, {"id": run_id, "status": status})


def find_run(root: Path, text: str) -> RunDirectory:
    """The run with this id, with an id that begins with `text`, or the `latest`.

    Raises:
        UnknownRun: there is none.
        AmbiguousRun: there are several.
    """
    ids = _run_ids(root)
    wanted = text.strip().lower()
    found = ids[-1:] if wanted == LATEST else tuple(i for i in ids if wanted and i.startswith(wanted))
    if not found:
        raise UnknownRun(text)
    if len(found) > 1:
        raise AmbiguousRun(text, found)
    return RunDirectory(runs_folder(root) / found[0])


def list_runs(root: Path) -> tuple[RunSummary, ...]:
    """Every run that has a folder, oldest first."""
    indexed = _read_index(root)
    summaries = (indexed.get(run_id, RunSummary(run_id)) for run_id in _run_ids(root))
    # An end that the index does not know may have been lost by it; only the ledger can say.
    return tuple(summary if summary.status else _ask_ledger(root, summary) for summary in summaries)


def _run_ids(root: Path) -> tuple[str, ...]:
    try:
        with os.scandir(runs_folder(root)) as entries:
            names = [e.name for e in entries if _RUN_ID.fullmatch(e.name) and e.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return tuple(sorted(names))


def _read_index(root: Path) -> dict[str, RunSummary]:
    """The index by run; lines that are torn or make no sense are passed over, since the folders tell the same."""
    summaries: dict[str, RunSummary] = {}
    try:
        lines = read_limited(runs_folder(root) / INDEX_NAME, INDEX_LIMIT).split(b"\n")
    except OSError:
        return summaries
    for line in lines[:-1]:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict) and isinstance(run_id := entry.get("id"), str):
            summaries[run_id] = _merge(summaries.get(run_id, RunSummary(run_id)), entry)
    return summaries


def _merge(summary: RunSummary, entry: Mapping[str, object]) -> RunSummary:
    texts = {
        name: entry[name] for name in ("workflow", "spec", "started", "status") if isinstance(entry.get(name), str)
    }
    return replace(summary, **texts)  # type: ignore[arg-type]  # every value was just seen to be text


def _ask_ledger(root: Path, summary: RunSummary) -> RunSummary:
    """The summary with what the run's own ledger adds: nothing where that is missing or damaged."""
    try:
        records = read(RunDirectory(runs_folder(root) / summary.id).manifest)
    except (OSError, LedgerDamaged):
        return summary
    for record in records:
        if record.type == "run_started":
            summary = _merge(replace(summary, started=record.ts), record.fields)
        elif record.type in ("run_completed", "run_paused"):
            summary = _merge(replace(summary, status=record.type.removeprefix("run_")), record.fields)
        elif record.type == "run_resumed":
            summary = replace(summary, status="")
    return summary


def _append_to_index(root: Path, entry: Mapping[str, str]) -> None:
    """Add a line, in one write under a lock; first mend what is missing before it."""
    path = runs_folder(root) / INDEX_NAME
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        size = os.fstat(descriptor).st_size
        if size == 0:
            before = b"".join(_line(_as_entry(summary)) for summary in list_runs(root))
        else:
            before = b"" if os.pread(descriptor, 1, size - 1) == b"\n" else b"\n"
        write_whole(descriptor, before + _line(entry))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _as_entry(summary: RunSummary) -> dict[str, str]:
    entry = {"id": summary.id, "workflow": summary.workflow, "spec": summary.spec, "started": summary.started}
    return {**entry, "status": summary.status} if summary.status else entry


def _line(entry: Mapping[str, str]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"
