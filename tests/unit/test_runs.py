"""Run folders, their index, and how a run is named."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest

from runtime.ledger import Ledger
from runtime.runs import (
    AmbiguousRun,
    RunDirectory,
    RunIds,
    RunSummary,
    UnknownRun,
    create_run,
    find_run,
    list_runs,
    record_status,
    runs_folder,
)

TS = "2026-01-31T12:00:00.000Z"


def new_run(root: Path, workflow: str = "tdd") -> RunDirectory:
    return create_run(root, workflow=workflow, spec="spec.md", started=TS)


def index_of(root: Path) -> Path:
    return runs_folder(root) / "index.ndjson"


def test_ids_are_version_7_and_hold_the_time() -> None:
    made = UUID(RunIds(clock=lambda: 1_769_860_800_123_456_789).next())
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == 1_769_860_800_123


def test_ids_grow_even_when_the_clock_does_not() -> None:
    times: Iterator[int] = iter([5_000_000_000_000, 4_000_000_000_000] + [5_000_000_000_000] * 9_998)
    ids = RunIds(clock=lambda: next(times))
    made = [ids.next() for _ in range(10_000)]
    assert made == sorted(set(made))
    assert all(UUID(id_).version == 7 for id_ in made)


def test_reading_creates_nothing(tmp_path: Path) -> None:
    assert list_runs(tmp_path) == ()
    with pytest.raises(UnknownRun, match="no runs yet"):
        find_run(tmp_path, "latest")
    assert os.listdir(tmp_path) == []


def test_a_new_run_has_its_folder_and_its_place_in_the_index(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    assert run.path == tmp_path / ".gump" / "runs" / run.id
    assert run.artifacts.is_dir()
    assert list_runs(tmp_path) == (RunSummary(run.id, "tdd", "spec.md", TS),)
    record_status(tmp_path, run.id, "pass")
    assert list_runs(tmp_path) == (RunSummary(run.id, "tdd", "spec.md", TS, "pass"),)
    assert [json.loads(line)["id"] for line in index_of(tmp_path).read_text().splitlines()][-2:] == [run.id] * 2


def test_runs_are_found_by_id_prefix_and_latest(tmp_path: Path) -> None:
    runs = [new_run(tmp_path) for _ in range(3)]
    assert find_run(tmp_path, "latest") == runs[-1]
    for run in runs:
        assert find_run(tmp_path, run.id) == run
        assert find_run(tmp_path, run.id[:-4].upper()) == run
    with pytest.raises(AmbiguousRun) as ambiguous:
        find_run(tmp_path, runs[0].id[:4])
    assert ambiguous.value.candidates == tuple(run.id for run in runs)


@pytest.mark.parametrize("text", ["", " ", "zz", "../..", "/", "index.ndjson", "*"])
def test_what_names_no_run_is_unknown(tmp_path: Path, text: str) -> None:
    new_run(tmp_path)
    (runs_folder(tmp_path) / "zz-not-a-run").mkdir()
    with pytest.raises(UnknownRun):
        find_run(tmp_path, text)


def test_a_link_is_no_run(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.path.rename(tmp_path / "elsewhere")
    run.path.symlink_to(tmp_path / "elsewhere")
    assert list_runs(tmp_path) == ()


def test_a_missing_index_is_made_again_from_the_ledgers(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    with Ledger.create(run.manifest) as ledger:
        ledger.append("run_started", {"workflow": "tdd", "spec": "spec.md"}, ts=TS)
        ledger.append("run_completed", {"status": "fail"}, ts=TS)
    index_of(tmp_path).unlink()
    expected = RunSummary(run.id, "tdd", "spec.md", TS, "fail")
    assert list_runs(tmp_path) == (expected,)
    assert not index_of(tmp_path).exists()
    other = new_run(tmp_path, "other")
    run.manifest.unlink()
    assert list_runs(tmp_path) == (expected, RunSummary(other.id, "other", "spec.md", TS))


@pytest.mark.parametrize("damage", [b'{"id":"0193', b"\xff\xfe\n", b"[1]\n[[\n", b'{"id":7}\n', b"[" * 100_000 + b"\n"])
def test_a_damaged_index_line_costs_nothing_else(tmp_path: Path, damage: bytes) -> None:
    first = new_run(tmp_path, "first")
    with open(index_of(tmp_path), "ab") as file:
        file.write(damage)
    second = new_run(tmp_path, "second")
    assert [(r.id, r.workflow) for r in list_runs(tmp_path)] == [(first.id, "first"), (second.id, "second")]


def test_a_status_that_the_index_lost_is_in_the_ledger(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    with Ledger.create(run.manifest) as ledger:
        ledger.append("run_started", {}, ts=TS)
        ledger.append("run_paused", {}, ts=TS)
    assert list_runs(tmp_path)[0].status == "paused"
    with Ledger.open(run.manifest) as ledger:
        ledger.append("run_resumed", {}, ts=TS)
    assert list_runs(tmp_path)[0].status == ""


def test_a_run_whose_folder_is_gone_is_not_listed(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.artifacts.rmdir()
    run.path.rmdir()
    assert list_runs(tmp_path) == ()


def test_runs_may_start_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: new_run(tmp_path, f"w{number}"), range(40)))
    assert {(r.id, r.workflow) for r in list_runs(tmp_path)} == {(r.id, f"w{n}") for n, r in enumerate(made)}


def test_the_writer_of_a_run_is_known(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    assert run.writer() is None
    with Ledger.create(run.manifest):
        writer = run.writer()
        assert writer is not None
        assert writer.pid == os.getpid()
    assert run.writer() is None


def test_attempts_have_folders_by_step_path(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    folder = run.attempt_folder("decompose/auth/red", 1)
    assert folder == run.artifacts / "decompose" / "auth" / "red" / "attempt-1"
    assert not folder.exists()
    assert run.create_attempt_folder("decompose/auth/red", 1).is_dir()


@pytest.mark.parametrize(
    "step", ["", "..", "a/../b", "/a", "a//b", "a/", ".", "a b", "a\n", "a\0", "x" * 300, "-a", "é"]
)
def test_a_step_path_cannot_lead_elsewhere(tmp_path: Path, step: str) -> None:
    with pytest.raises(ValueError, match="no folder"):
        RunDirectory(tmp_path).attempt_folder(step, 1)
    with pytest.raises(ValueError, match="no folder"):
        RunDirectory(tmp_path).attempt_folder("a", 0)
