"""A diskcache store that is safe to open on a folder that others can write to.

diskcache is kept as a dumb table here: text keys, bytes inline. What it would do beyond that is switched off, because
each of these turns a write to the folder into something worse:

* pickled keys and values are never loaded (loading one runs code);
* values never live in files of their own (a row's file name may lead anywhere: read, or removed on replacement);
* rows of its settings table never become attributes that we do not know;
* nothing is memory-mapped (a database cut short under a map kills the process), and nothing is evicted (a result is
  paid for, and goes when someone prunes it).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diskcache

PATIENCE = 5
"""Seconds to wait for another process's transaction."""

DATABASE = "cache.db"
_SETTINGS = {
    **diskcache.DEFAULT_SETTINGS,
    "eviction_policy": "none",
    "size_limit": 2**62,
    "cull_limit": 0,
    "sqlite_mmap_size": 0,
}
_KNOWN_SETTINGS = _SETTINGS.keys() | {"count", "size", "hits", "misses"}
_DAMAGE = {
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_MISMATCH,
}
"""What SQLite says of a file that is no database of ours; its other errors are about the disk or another process."""


class BadEntry(Exception):
    """A stored value that can't be believed; the message completes "the entry … is damaged:"."""


class BadDatabase(Exception):
    """A database that is not as we left it."""


STORE_ERRORS = (sqlite3.Error, diskcache.Timeout, OSError, ValueError, BadDatabase)
"""What using a store may raise; ValueError where a damaged index finds two rows for a key, or the schema is no text."""


class _PlainDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Text keys and inline bytes, nothing else, whatever the rows of the database ask for."""

    def put(self, key: object) -> tuple[str, bool]:
        if not isinstance(key, str):
            raise TypeError("a cache key is text")
        return key, True

    def get(self, key: object, raw: object) -> object:
        raise NotImplementedError("list keys with `query`: it loads no pickle")

    def store(self, value: object, read: bool, key: object = None) -> tuple[int, int, None, memoryview]:
        if not isinstance(value, bytes) or read:
            raise TypeError("a cache value is bytes")
        return 0, diskcache.core.MODE_RAW, None, memoryview(value)

    def fetch(self, mode: object, filename: object, value: object, read: bool) -> bytes:
        if mode != diskcache.core.MODE_RAW or filename is not None or not isinstance(value, bytes):
            raise BadEntry("it is not stored as plain bytes")
        return value

    def remove(self, file_path: object) -> None:
        """Nothing: no row of ours has a file, and one that names a file is not obeyed."""


class Store(diskcache.Cache):  # type: ignore[misc]  # diskcache has no types
    """A store that closes its connection when it can't be opened, and reads text that is no UTF-8 without failing."""

    def __init__(self, directory: Path) -> None:
        try:
            super().__init__(str(directory), timeout=PATIENCE, disk=_PlainDisk, **_SETTINGS)
            self._con.text_factory = _lenient_text
        except BaseException:
            self.close()
            raise

    def replace(self, key: str, value: bytes) -> None:
        """Set a value and read it back: in a damaged schema or index, a row may be written where no one finds it."""
        with self.transact():
            self.set(key, value)
            if self.get(key) != value:
                raise BadDatabase("what was written does not read back")


def open_store(directory: Path) -> Store:
    """The store in `directory`, created when missing; the caller holds `only_process`.

    Raises:
        STORE_ERRORS: it is damaged, if `is_damage` says so, or else locked, full or not ours to write.
    """
    # diskcache expands variables in the path that it is given.
    if os.path.expandvars(directory) != str(directory):
        raise OSError("its path holds the name of an environment variable")
    _check(directory)
    try:
        return Store(directory)
    except (ValueError, TypeError) as error:
        raise BadDatabase(f"its settings make no sense: {error}") from None


def _check(directory: Path) -> None:
    """Refuse settings that are not ours, and a database that is locked: diskcache would wait a minute for it."""
    if not (directory / DATABASE).exists() or not query(directory, "SELECT name FROM sqlite_master"):
        return
    settings = dict(query(directory, "SELECT key, value FROM Settings"))
    if not settings.keys() <= _KNOWN_SETTINGS:
        raise BadDatabase("it has settings that are not ours")
    query(directory, "BEGIN IMMEDIATE")
    if any(value != _SETTINGS[key] for key, value in settings.items() if key.startswith("sqlite_")):
        # They would be put into a statement as they stand; opening writes ours again.
        query(directory, "DELETE FROM Settings WHERE key GLOB 'sqlite_*'")


def is_damage(error: Exception) -> bool:
    """Whether an error means that the database itself is damaged."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, BadDatabase | ValueError) or (code is not None and code & 0xFF in _DAMAGE)


def query(directory: Path, statement: str) -> list[tuple[Any, ...]]:
    """The rows of one statement, run on a connection of its own; what it began ends with it."""
    with contextlib.closing(
        sqlite3.connect(directory / DATABASE, timeout=PATIENCE, isolation_level=None)
    ) as connection:
        connection.text_factory = _lenient_text
        return connection.execute(statement).fetchall()


def _lenient_text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


@contextlib.contextmanager
def only_process(folder: Path) -> Iterator[None]:
    """Keep other processes from opening or moving a store in `folder` meanwhile."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.002)
        yield
    finally:
        os.close(descriptor)


def reason(error: Exception) -> str:
    """What to tell a person of an error of the store."""
    return "it is locked by another process" if isinstance(error, diskcache.Timeout) else str(error)
