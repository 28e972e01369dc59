"""A damaged ledger is never misread, and no acknowledged record is lost to a killed writer.

Every damaged file is judged against the original by a rule that knows nothing of checksums: up to the first line that
differs everything must be read, and from there on nothing; going on is allowed only if that line is the last.
`GUMPC_MUTATIONS` sets how many mutations are tried.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

import pytest

from runtime.ledger import Ledger, LedgerDamaged, Record, read

MUTATIONS = int(os.environ.get("GUMPC_MUTATIONS", "2000"))
T = TypeVar("T")
TS = "2026-01-31T12:00:00.000Z"

WRITER = """
import sys
from pathlib import Path
from runtime.ledger import Ledger

ledger = Ledger.open(Path(sys.argv[1])) if Path(sys.argv[1]).exists() else Ledger.create(Path(sys.argv[1]))
number = len(ledger.records)
while True:
    number += 1
    fields = {"number": number, "text": "x" * (number % 5000)}
    record = ledger.append("turn_completed", fields, ts="2026-01-31T12:00:00.000Z")
    sys.stdout.write(f"{record.seq}\\n")
    sys.stdout.flush()
"""


@pytest.fixture
def original(tmp_path: Path) -> tuple[bytes, tuple[Record, ...]]:
    path = tmp_path / "original" / "manifest.ndjson"
    path.parent.mkdir()
    with Ledger.create(path) as ledger:
        for number in range(30):
            ledger.append("step_started", {"step": f"s{number}", "text": "é\n" * (number % 4)}, ts=TS)
    return path.read_bytes(), read(path)


def first_difference(damaged: bytes, whole: bytes) -> int:
    """The index of the first line, newline included, in which the two differ."""
    pairs = zip_longest(damaged.splitlines(keepends=True), whole.splitlines(keepends=True))
    return next(index for index, (found, expected) in enumerate(pairs) if found != expected)


def opened(open_it: Callable[[Path], T], path: Path) -> T | LedgerDamaged:
    try:
        return open_it(path)
    except LedgerDamaged as damage:
        return damage


def judge(path: Path, damaged: bytes, whole: bytes, records: tuple[Record, ...]) -> str:
    """Open the damaged ledger, check what came of it, and say which of the three outcomes it was."""
    path.write_bytes(damaged)
    if damaged == whole:
        return "unchanged"
    good = first_difference(damaged, whole)
    tail = b"".join(damaged.splitlines(keepends=True)[good:])
    seen = opened(read, path)
    ledger = opened(Ledger.open, path)
    if isinstance(ledger, LedgerDamaged):
        assert isinstance(seen, LedgerDamaged)
        assert seen.line == ledger.line == good + 1
        assert path.read_bytes() == damaged
        return "refused"
    with ledger:
        assert ledger.records == seen == records[:good]
        if not tail:
            assert ledger.repaired is None
            return "shorter"
        assert ledger.repaired is not None
        assert ledger.repaired.line == good + 1
        assert ledger.repaired.aside.read_bytes() == tail
        assert tail.count(b"\n") == tail.endswith(b"\n"), "only one line may be given up"
        assert ledger.append("ledger_repaired", {}, ts=TS).seq == good + 1
    assert len(read(path)) == good + 1
    return "repaired"


@pytest.mark.slow
def test_every_truncation_keeps_every_whole_record(tmp_path: Path, original: tuple[bytes, tuple[Record, ...]]) -> None:
    whole, records = original
    outcomes = {}
    for size in range(len(whole)):
        path = tmp_path / "manifest.ndjson"
        outcomes[size] = judge(path, whole[:size], whole, records)
        for torn in tmp_path.glob("*.torn-*"):
            torn.unlink()
    assert set(outcomes.values()) == {"repaired", "shorter"}
    assert list(outcomes.values()).count("shorter") == 30


def flip(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def delete(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.choice((1, 1, 2, 17, 400)) :]


def insert(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice((b"\n", b" ", b"\0", b"}", b"\r\n", rng.randbytes(9))) + data[at:]


def zero(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    size = min(rng.choice((1, 64, 512)), len(data) - at)
    return data[:at] + bytes(size) + data[at + size :]


def swap_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    first, second = rng.sample(range(len(lines)), 2)
    lines[first], lines[second] = lines[second], lines[first]
    return b"".join(lines)


def copy_line(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
    return b"".join(lines)


def drop_line(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    del lines[rng.randrange(len(lines))]
    return b"".join(lines)


def edit_last_line(data: bytes, rng: random.Random) -> bytes:
    start = data.rindex(b"\n", 0, -1) + 1
    return data[:start] + flip(data[start:], rng)


KINDS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    flip,
    delete,
    insert,
    zero,
    swap_lines,
    copy_line,
    drop_line,
    edit_last_line,
)


@pytest.mark.slow
def test_no_mutation_is_misread(tmp_path: Path, original: tuple[bytes, tuple[Record, ...]]) -> None:
    whole, records = original
    rng = random.Random(20260131)
    outcomes = []
    for number in range(MUTATIONS):
        damaged = KINDS[number % len(KINDS)](whole, rng)
        outcomes.append(judge(tmp_path / "manifest.ndjson", damaged, whole, records))
        for torn in tmp_path.glob("*.torn-*"):
            torn.unlink()
    assert outcomes.count("refused") > MUTATIONS / 2
    assert outcomes.count("repaired") > MUTATIONS / 10


@pytest.mark.slow
def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "manifest.ndjson"
    rng = random.Random(4)
    acknowledged = 0
    for _ in range(20):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            first = writer.stdout.readline()
            time.sleep(rng.random() * 0.03)
            writer.kill()
            told = (first + writer.stdout.read()).split(b"\n")[:-1]
        acknowledged = int(told[-1])
        with Ledger.open(path) as ledger:
            numbers = [record.fields["number"] for record in ledger.records]
        assert numbers == list(range(1, len(numbers) + 1))
        assert acknowledged <= len(numbers) <= acknowledged + 1
    assert acknowledged > 100
