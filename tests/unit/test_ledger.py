"""The ledger's format, its one writer, and readers beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zlib
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from runtime.ledger import START, Ledger, LedgerBusy, LedgerDamaged, Record, follow, read, rfc3339

TS = "2026-01-31T12:00:00.000Z"
GOLDEN = sorted((Path(__file__).parent.parent / "cases" / "ledgers").glob("v*/*.ndjson"))

HOLDER = """
import sys, time
from pathlib import Path
from runtime.ledger import Ledger
Ledger.open(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""

FULL_DISK = """
import json, resource, sys
from pathlib import Path
from runtime.ledger import Ledger, LedgerFull, read

path = Path(sys.argv[1])
ledger = Ledger.create(path)
appended = refused = 0
for limit in range(300, 900, 7):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        ledger.append("step_started", {"step": "a" * 60}, ts="2026-01-31T12:00:00.000Z")
        appended += 1
    except LedgerFull:
        refused += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert len(read(path)) == appended and path.read_bytes().count(b"\\n") == appended
    assert path.read_bytes()[-1:] in (b"", b"\\n")
ledger.append("run_completed", {}, ts="2026-01-31T12:00:00.000Z")
ledger.close()
print(json.dumps([appended, refused, len(read(path))]))
"""


def write(path: Path, *events: tuple[str, dict[str, object]]) -> None:
    with Ledger.create(path) as ledger:
        for kind, fields in events:
            ledger.append(kind, fields, ts=TS)


def test_a_line_can_be_checked_with_zlib_alone(tmp_path: Path) -> None:
    path = tmp_path / "manifest.ndjson"
    write(path, ("run_started", {"workflow": "tdd"}), ("run_completed", {"crc_like": ',"crc":"00000000"}'}))
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        body, _, crc = line.rpartition(b',"crc":"')
        assert crc == b'%08x"}' % zlib.crc32(body)
        assert list(json.loads(line))[:3] == ["seq", "ts", "type"]
        assert json.loads(line)["seq"] == number


def test_what_is_appended_is_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "manifest.ndjson"
    fields = {
        "text": "Grüße \U0001f600 \ud800",
        "list": (1, 2.5, None),
        "nested": {"ok": True},
        "lines": "a\nb\r\u2028",
    }
    with Ledger.create(path) as ledger:
        record = ledger.append("turn_completed", fields, ts=TS)
    assert read(path) == (record,)
    assert record.fields == {**fields, "list": [1, 2.5, None]}
    assert path.read_bytes().isascii()


@pytest.mark.parametrize(
    ("type", "fields", "ts"),
    [
        ("x", {"cost": float("nan")}, TS),
        ("x", {"cost": float("inf")}, TS),
        ("x", {"path": Path("a")}, TS),
        ("x", {"seq": 1}, TS),
        ("x", {"crc": ""}, TS),
        ("", {}, TS),
        ("x", {}, "2026-01-31 12:00:00"),
        ("x", {}, "2026-01-31T12:00:00.000Z\n"),
    ],
)
def test_what_is_no_record_is_refused_and_leaves_no_trace(
    tmp_path: Path, type: str, fields: dict[str, object], ts: str
) -> None:
    path = tmp_path / "manifest.ndjson"
    with Ledger.create(path) as ledger:
        with pytest.raises(ValueError, match=r"record|JSON"):
            ledger.append(type, fields, ts=ts)
        ledger.append("run_started", {}, ts=TS)
    assert read(path) == (Record(1, TS, "run_started", {}),)


def test_reopening_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "manifest.ndjson"
    write(path, ("run_started", {}))
    with Ledger.open(path) as ledger:
        assert [record.type for record in ledger.records] == ["run_started"]
        assert ledger.repaired is None
        assert ledger.append("run_resumed", {}, ts=TS).seq == 2
    assert [record.seq for record in read(path)] == [1, 2]


def test_create_refuses_a_ledger_that_exists(tmp_path: Path) -> None:
    path = tmp_path / "manifest.ndjson"
    write(path, ("run_started", {}))
    with pytest.raises(FileExistsError):
        Ledger.create(path)
    Ledger.open(path).close()


def test_opening_what_does_not_exist_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Ledger.open(tmp_path / "manifest.ndjson")
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "manifest.ndjson")
    assert os.listdir(tmp_path) == []


def test_a_torn_tail_is_kept_aside_and_told(tmp_path: Path) -> None:
    path = tmp_path / "manifest.ndjson"
    write(path, ("run_started", {}), ("step_started", {"step": "a"}))
    for number in (1, 2):
        with open(path, "ab") as file:
            file.write(b'{"seq":3,"ts":"2026')
        assert len(read(path)) == 2
        assert path.read_bytes().endswith(b"2026")
        with Ledger.open(path) as ledger:
            assert ledger.repaired is not None
            assert (ledger.repaired.line, ledger.repaired.size) == (3, 19)
            assert ledger.repaired.aside == tmp_path / f"manifest.ndjson.torn-{number}"
            assert ledger.repaired.aside.read_bytes() == b'{"seq":3,"ts":"2026'
    with Ledger.open(path) as ledger:
        assert ledger.repaired is None
        assert ledger.append("run_completed", {}, ts=TS).seq == 3


def test_damage_before_the_tail_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "manifest.ndjson"
    write(path, *[("step_started", {"step": name}) for name in "abcd"])
    damaged = path.read_bytes().replace(b'"step":"b"', b'"step":"x"')
    path.write_bytes(damaged)
    for open_it in (Ledger.open, read):
        with pytest.raises(LedgerDamaged, match=r"manifest\.ndjson:2: ") as refused:
            open_it(path)
        assert refused.value.line == 2
    assert path.read_bytes() == damaged
    assert sorted(os.listdir(tmp_path)) == ["lock", "manifest.ndjson"]


def test_a_second_writer_is_refused_with_the_first_ones_pid(tmp_path: Path) -> None:
    path = tmp_path / "manifest.ndjson"
    write(path, ("run_started", {}))
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        began = time.monotonic()
        with pytest.raises(LedgerBusy) as busy:
            Ledger.open(path)
        assert time.monotonic() - began < 1
        assert busy.value.pid == holder.pid
        assert len(read(path)) == 1
        holder.kill()
    Ledger.open(path).close()


def test_a_reader_follows_a_live_ledger(tmp_path: Path) -> None:
    path = tmp_path / "manifest.ndjson"
    with Ledger.create(path) as ledger:
        assert follow(path, START) == ((), START)
        ledger.append("run_started", {}, ts=TS)
        first, position = follow(path, START)
        assert [record.seq for record in first] == [1]
        with open(path, "ab") as file:
            file.write(b'{"seq":2,')
        assert follow(path, position) == ((), position)
        os.truncate(path, position.offset)
        ledger.append("step_started", {}, ts=TS)
        ledger.append("step_completed", {}, ts=TS)
        more, end = follow(path, position)
        assert [record.seq for record in more] == [2, 3]
        assert end.offset == path.stat().st_size


def test_a_disk_that_fills_up_leaves_whole_records_only(tmp_path: Path) -> None:
    """The file size limit writes a part of the record first, as a full disk does, and can be lifted again."""
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "manifest.ndjson")]
    appended, refused, total = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert appended >= 3
    assert refused >= 20
    assert total == appended + 1


def test_a_closed_ledger_takes_no_records(tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path / "manifest.ndjson")
    ledger.close()
    ledger.close()
    with pytest.raises(OSError, match="open the ledger again"):
        ledger.append("run_started", {}, ts=TS)


def test_times_are_utc_with_milliseconds() -> None:
    moment = datetime(2026, 1, 31, 14, 0, 0, 7_999, tzinfo=timezone(timedelta(hours=2)))
    assert rfc3339(moment) == "2026-01-31T12:00:00.007Z"


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_ledgers_of_every_released_format_open(path: Path, tmp_path: Path) -> None:
    expected = json.loads(path.with_suffix(".expected.json").read_text())
    copy = tmp_path / "manifest.ndjson"
    copy.write_bytes(path.read_bytes())
    if "damaged" in expected:
        with pytest.raises(LedgerDamaged) as refused:
            Ledger.open(copy)
        assert {"line": refused.value.line, "why": refused.value.why} == expected["damaged"]
        return
    with Ledger.open(copy) as ledger:
        found = [{"seq": r.seq, "ts": r.ts, "type": r.type, "fields": r.fields} for r in ledger.records]
        assert found == expected["records"]
        assert (ledger.repaired.size if ledger.repaired else 0) == expected["torn"]


def test_there_are_golden_ledgers() -> None:
    assert len(GOLDEN) >= 6
