"""The ledger of a run: `manifest.ndjson`, an append-only file in which every record proves itself.

A record is one line: `{"seq": n, "ts": …, "type": …, …fields, "crc": …}`. `crc` is the CRC-32 of the line's bytes up to
its own comma, so that any program can check it without knowing how we print JSON; `seq` counts from 1 without gaps,
which also makes it the line number. An append is on disk before it returns (append and fdatasync: about 0.15 ms,
nothing beside an agent's call).

What may be wrong with the file is told apart strictly. A crash, or a disk that fills up, can damage only the last line:
a *torn tail* is set aside and the writer goes on. Damage anywhere else has another cause, and a state folded from a
guess would spend money twice, so it is refused with its place. A file that lost whole records at its end can't be
told from a younger one here; who has a later `seq` on record elsewhere can compare.
"""

from __future__ import annotations

import errno
import json
import os
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from runtime.files import LockHeld, sync_folder, take_lock, write_whole

RESERVED = frozenset({"seq", "ts", "type", "crc"})
LOCK_NAME = "lock"

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_CRC_LENGTH = len(b',"crc":"00000000"}')


class LedgerDamaged(Exception):
    """A record that can't be believed; `line` counts from 1 and `why` says what is wrong with it."""

    def __init__(self, path: Path, line: int, why: str) -> None:
        super().__init__(f"{path}:{line}: {why}")
        self.path = path
        self.line = line
        self.why = why


class LedgerBusy(Exception):
    """Another process writes this ledger; `pid` is that process, None where unknown."""

    def __init__(self, path: Path, pid: int | None) -> None:
        super().__init__(f"{path} is being written by {'another process' if pid is None else f'process {pid}'}")
        self.path = path
        self.pid = pid


class LedgerFull(OSError):
    """The disk has no room for the record; the ledger is as it was, and the same append may be tried again."""


@dataclass(frozen=True, slots=True)
class Record:
    """One event as it stands on disk; `ts` is RFC 3339 in UTC with milliseconds, `fields` are plain JSON values."""

    seq: int
    ts: str
    type: str
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Position:
    """How far a reader has come: `seq` records in `offset` bytes."""

    offset: int = 0
    seq: int = 0


START = Position()


@dataclass(frozen=True, slots=True)
class Repair:
    """A torn tail that was cut off: `size` bytes at line `line`, kept in the file `aside`."""

    line: int
    size: int
    aside: Path


def rfc3339(moment: datetime) -> str:
    """A moment with a time zone as the ledger writes it: `2026-01-31T12:00:00.000Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def read(path: Path) -> tuple[Record, ...]:
    """All records of a ledger, which another process may be writing; a torn tail is left alone.

    Raises:
        LedgerDamaged: a record before the last can't be believed.
        OSError: there is no such file, or it can't be read.
    """
    return follow(path, START)[0]


def follow(path: Path, position: Position) -> tuple[tuple[Record, ...], Position]:
    """The records after `position`, and the position after them; raises like `read`."""
    with open(path, "rb") as file:
        file.seek(position.offset)
        data = file.read()
    records, end = _decode_all(path, data, position)
    return tuple(records), end


class Ledger:
    """The one writer of a ledger; holds the run's lock until `close`. Made by `create` or `open`."""

    def __init__(self, path: Path, descriptor: int, lock: int) -> None:
        self.path = path
        self.records: tuple[Record, ...] = ()
        """What the file held when it was opened."""
        self.repaired: Repair | None = None
        """The torn tail that opening cut off; the caller tells it with a `ledger_repaired` event."""
        self._descriptor = descriptor
        self._lock = lock
        self._end = START
        self._broken = False

    @classmethod
    def create(cls, path: Path) -> Ledger:
        """A new, empty ledger in an existing folder.

        Raises:
            LedgerBusy: another process holds the run's lock.
            OSError: the file exists already, or can't be created.
        """
        ledger = cls._locked(path, os.O_CREAT | os.O_EXCL)
        try:
            sync_folder(path.parent)
        except BaseException:
            ledger.close()
            raise
        return ledger

    @classmethod
    def open(cls, path: Path) -> Ledger:
        """An existing ledger, every record verified, a torn tail cut off and kept aside.

        Raises:
            LedgerBusy: another process holds the run's lock.
            LedgerDamaged: a record before the last can't be believed; nothing was changed.
            OSError: there is no such file, or it can't be read or repaired.
        """
        # Asked before the lock, which would leave a file behind in a folder that holds no ledger.
        path.stat()
        ledger = cls._locked(path, 0)
        try:
            ledger._load()
        except BaseException:
            ledger.close()
            raise
        return ledger

    @classmethod
    def _locked(cls, path: Path, flags: int) -> Ledger:
        try:
            lock = take_lock(path.with_name(LOCK_NAME))
        except LockHeld as held:
            raise LedgerBusy(path, held.pid) from None
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | flags, 0o644)
        except BaseException:
            os.close(lock)
            raise
        return cls(path, descriptor, lock)

    def _load(self) -> None:
        data = self.path.read_bytes()
        records, self._end = _decode_all(self.path, data, START)
        self.records = tuple(records)
        if self._end.offset < len(data):
            self._cut_tail(data[self._end.offset :])

    def _cut_tail(self, tail: bytes) -> None:
        aside = _set_aside(self.path, tail)
        os.ftruncate(self._descriptor, self._end.offset)
        os.fdatasync(self._descriptor)
        self.repaired = Repair(line=self._end.seq + 1, size=len(tail), aside=aside)

    def append(self, type: str, fields: Mapping[str, object], *, ts: str) -> Record:
        """Write one record and wait until the disk has it; returns it as reading gives it (lists for tuples).

        Raises:
            LedgerFull: there is no room; nothing was written and the ledger stays usable.
            OSError: the disk failed; where it can't be known what it holds, every later append is refused too.
            ValueError: the record is not plain JSON, uses a reserved name, or `ts` is not as `rfc3339` writes it.
        """
        if self._broken:
            raise OSError(errno.EIO, "an earlier write failed; open the ledger again", str(self.path))
        seq = self._end.seq + 1
        line = _encode(seq, ts, type, fields)
        record = _decode(line, seq)
        before = self._end
        try:
            write_whole(self._descriptor, line + b"\n")
            os.fdatasync(self._descriptor)
            self._end = Position(before.offset + len(line) + 1, seq)
        except BaseException as error:
            # Also for an interrupt: a record that nobody was told of must not stand before the next one.
            self._undo(before)
            if isinstance(error, OSError):
                self._refuse(error)
            raise
        return record

    def _undo(self, before: Position) -> None:
        self._broken = True
        os.ftruncate(self._descriptor, before.offset)
        os.fdatasync(self._descriptor)
        self._end = before
        self._broken = False

    def _refuse(self, error: OSError) -> NoReturn:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise LedgerFull(error.errno, "no room for the record", str(self.path)) from error
        # After a failed sync the kernel may call pages clean that the disk never got.
        self._broken = True
        raise error

    def close(self) -> None:
        """Let the lock go; a second call does nothing."""
        for descriptor in (self._descriptor, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._lock = -1
        self._broken = True

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _set_aside(path: Path, tail: bytes) -> Path:
    """Keep the bytes of a torn tail in the first free `<path>.torn-<n>`, durably."""
    number = 1
    while True:
        aside = path.with_name(f"{path.name}.torn-{number}")
        try:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            break
        except FileExistsError:
            number += 1
    try:
        write_whole(descriptor, tail)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)
    return aside


def _encode(seq: int, ts: str, type: str, fields: Mapping[str, object]) -> bytes:
    """The record's line without its newline. Non-ASCII is escaped, so lone surrogates too stay valid UTF-8."""
    if not type or not _TIMESTAMP.fullmatch(ts) or not RESERVED.isdisjoint(fields):
        raise ValueError(f"not a record: type {type!r}, ts {ts!r}, fields {sorted(fields)}")
    members = {"seq": seq, "ts": ts, "type": type, **fields}
    try:
        body = json.dumps(members, separators=(",", ":"), allow_nan=False).encode()[:-1]
    except (TypeError, RecursionError) as error:
        raise ValueError(f"not plain JSON in a record of type {type!r}: {error}") from None
    return body + _crc_member(body)


def _decode_all(path: Path, data: bytes, start: Position) -> tuple[list[Record], Position]:
    """Every record in `data`, which begins at `start`, and where the last one ends: short of the data if torn."""
    lines = data.split(b"\n")
    # What follows the last newline is no record yet, however complete it looks: its append has not returned.
    unfinished = lines.pop()
    records: list[Record] = []
    offset, seq = start.offset, start.seq
    for line in lines:
        seq += 1
        if not _is_intact(line):
            if seq - start.seq == len(lines) and not unfinished:
                return records, Position(offset, seq - 1)
            raise LedgerDamaged(path, seq, "the record does not fit its checksum")
        try:
            records.append(_decode(line, seq))
        except (ValueError, RecursionError) as error:
            raise LedgerDamaged(path, seq, str(error)) from None
        offset += len(line) + 1
    return records, Position(offset, seq)


def _is_intact(line: bytes) -> bool:
    return line[-_CRC_LENGTH:] == _crc_member(line[:-_CRC_LENGTH])


def _crc_member(body: bytes) -> bytes:
    return b',"crc":"%08x"}' % zlib.crc32(body)


def _decode(line: bytes, seq: int) -> Record:
    """The record of an intact line; ValueError says why it is none, or not the one that belongs here."""
    members = _JSON.decode(line.decode())
    if not isinstance(members, dict):
        raise ValueError("the line is not a record")
    del members["crc"]
    found, ts, kind = members.pop("seq", None), members.pop("ts", None), members.pop("type", None)
    if found != seq:
        raise ValueError(f"record {found} stands where record {seq} belongs")
    if not isinstance(ts, str) or not isinstance(kind, str):
        raise ValueError("the record's time or type is not text")
    return Record(seq, ts, kind, members)


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_JSON = json.JSONDecoder(parse_constant=_reject_constant)
