"""The cache of passing results: what was computed under a key, believed only while it can prove it.

A stored value is `{"key":…,"sha256":…,"payload":…}`; the key in it catches swapped rows, the digest flipped bits, and
both are compared as bytes before any of it is parsed. The digest is no signature: who can write the store on purpose
can forge a result, which is why a result's git objects and gates are checked by those who use it.

A damaged entry is a miss and a warning. A damaged database is moved aside with its folder and a new one is begun; one
that is merely locked, full or not ours to write is left alone. Opening and reading create nothing.
Use a `Cache` from one thread; any number of processes may share the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar

from runtime.store import DATABASE, STORE_ERRORS, BadEntry, Store, is_damage, only_process, open_store, query, reason

Table = Literal["step", "gate", "last", "recipe"]
TABLES: tuple[Table, ...] = ("step", "gate", "last", "recipe")
"""Results of agent steps; verdicts of gates; the latest manifest of a workflow's step; stored patches by recipe."""

_T = TypeVar("_T")


class CacheUnavailable(OSError):
    """The store could not be written: no room, no permission, or locked by another process for too long."""


@dataclass(frozen=True, slots=True)
class TableStats:
    """How much a table holds; `size` is the bytes of its values."""

    table: Table
    entries: int
    size: int


class Cache:
    """A store of JSON objects by table and key, opened when first needed; close it, or use it in a `with`."""

    def __init__(self, directory: Path) -> None:
        self.directory = Path(os.path.abspath(directory))
        """A folder of its own, which need not exist; what is set aside stands beside it as `<name>.damaged-<n>`."""
        self.warnings: list[str] = []
        """One sentence for each thing that could not be believed or reached, in the order met."""
        self._store: Store | None = None
        self._inode: int | None = None
        self._unreadable = False

    @classmethod
    def open(cls, directory: Path) -> Cache:
        """The cache in `directory`. Touches nothing yet, so it can't fail."""
        return cls(directory)

    def get(self, table: Table, key: str) -> Mapping[str, object] | None:
        """The payload stored under `key`, or None where there is none that can be believed."""
        name = _name(table, key)
        try:
            value = self._reading(lambda store: store.get(name), None)
            return None if value is None else _unwrap(name, value)
        except BadEntry as damage:
            self.warnings.append(f"the cache entry {name} is damaged and was not used: {damage}")
            return None

    def put(self, table: Table, key: str, payload: Mapping[str, object]) -> None:
        """Store `payload`, replacing what was there.

        Raises:
            CacheUnavailable: it could not be stored.
            ValueError, TypeError: it is not plain JSON.
        """
        name = _name(table, key)
        value = _wrap(name, payload)
        self._writing(lambda store: store.replace(name, value))

    def forget(self, table: Table, key: str) -> bool:
        """Remove an entry, damaged or not; says whether there was one. Raises CacheUnavailable."""
        name = _name(table, key)
        return self._find_inode() is not None and self._writing(lambda store: bool(store.delete(name)))

    def items(self, table: Table) -> Iterator[tuple[str, Mapping[str, object]]]:
        """Every believable entry of a table as key and payload, ordered by key."""
        for name, _ in sorted(self._rows()):
            found, _, key = name.partition(":")
            if found == table and (payload := self.get(table, key)) is not None:
                yield key, payload

    def stats(self) -> tuple[TableStats, ...]:
        """The size of each table, in the order of `TABLES`; counts entries without judging them."""
        sizes: dict[str, list[int]] = {table: [] for table in TABLES}
        for name, size in self._rows():
            sizes.get(name.partition(":")[0], []).append(size)
        return tuple(TableStats(table, len(sizes[table]), sum(sizes[table])) for table in TABLES)

    def verify(self) -> tuple[str, ...]:
        """Check the database and every entry; returns the warnings that came of it, none if all is well."""
        before = len(self.warnings)
        for (message,) in self._ask("PRAGMA integrity_check"):
            if message != "ok":
                self.warnings.append(f"the cache's database is damaged: {message}")
        for name, _ in self._rows():
            table, _, key = name.partition(":")
            if table in TABLES:
                self.get(table, key)
            else:
                self.warnings.append(f"the cache holds an entry that is not ours: {name!r}")
        return tuple(self.warnings[before:])

    def close(self) -> None:
        """Close the database; a later call opens it again."""
        if self._store is not None:
            self._store.close()
        self._store = self._inode = None

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _rows(self) -> list[tuple[str, int]]:
        """The name and size of every row. One statement: paging by row id may never end in a damaged table."""
        rows = self._ask("SELECT key, raw, ifnull(length(value), 0) FROM Cache")
        return [(key if raw == 1 and isinstance(key, str) else repr(key), size) for key, raw, size in rows]

    def _ask(self, statement: str) -> list[tuple[Any, ...]]:
        nothing: list[tuple[Any, ...]] = []
        return self._reading(lambda _: query(self.directory, statement), nothing)

    def _reading(self, operation: Callable[[Store], _T], default: _T) -> _T:
        """The operation's result, or `default` where there is no store, or none that can be read."""
        if self._unreadable or self._find_inode() is None:
            return default
        try:
            return operation(self._opened())
        except STORE_ERRORS as error:
            if not self._recover(error):
                # Once said is enough, and a lock would be waited for at every step.
                self._unreadable = True
                self.warnings.append(f"the cache in {self.directory} can't be read and is not used: {reason(error)}")
            return default

    def _writing(self, operation: Callable[[Store], _T]) -> _T:
        """The operation's result; what can't be opened or written raises CacheUnavailable, damage is begun anew."""
        try:
            try:
                return operation(self._opened())
            except STORE_ERRORS as error:
                if not self._recover(error):
                    raise
                return operation(self._opened())
        except STORE_ERRORS as error:
            raise CacheUnavailable(f"the cache in {self.directory} can't be written: {reason(error)}") from error

    def _opened(self) -> Store:
        """The store, opened or created; opened again if another process has set aside what we had."""
        inode = self._find_inode()
        if self._store is None or inode != self._inode:
            self.close()
            self._inode = inode
            self.directory.parent.mkdir(parents=True, exist_ok=True)
            with only_process(self.directory.parent):
                self._store = open_store(self.directory)
                self._inode = self._find_inode()
        return self._store

    def _find_inode(self) -> int | None:
        try:
            return os.stat(self.directory / DATABASE).st_ino
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _recover(self, error: Exception) -> bool:
        """Set the database aside if `error` says that it is damaged; False if it says something else."""
        if not is_damage(error):
            return False
        inode = self._inode
        self.close()
        try:
            with only_process(self.directory.parent):
                if self._find_inode() == inode:
                    aside = _free_name(self.directory)
                    os.rename(self.directory, aside)
                    self.warnings.append(
                        f"the cache was damaged ({reason(error)}): it is now {aside}, a new one begins"
                    )
        except OSError as failure:
            self.warnings.append(f"the damaged cache in {self.directory} can't be moved: {failure}")
            return False
        return True


def _free_name(directory: Path) -> Path:
    number = 1
    while os.path.lexists(aside := directory.with_name(f"{directory.name}.damaged-{number}")):
        number += 1
    return aside


def _name(table: Table, key: str) -> str:
    name = f"{table}:{key}"
    name.encode()  # A key that is no text would look like a damaged store.
    return name


def _wrap(name: str, payload: Mapping[str, object]) -> bytes:
    body = json.dumps(payload, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    return _head(name, hashlib.sha256(body).hexdigest()) + body + b"}"


def _head(name: str, digest: str) -> bytes:
    return f'{{"key":{json.dumps(name)},"sha256":"{digest}","payload":'.encode()


def _unwrap(name: str, value: bytes) -> Mapping[str, object]:
    """The payload in a stored value, parsed only once it has proved itself; BadEntry says why it can't be believed."""
    start = len(_head(name, "0" * 64))
    body = value[start:-1]
    if value != _head(name, hashlib.sha256(body).hexdigest()) + body + b"}":
        raise BadEntry("its key or its checksum does not fit")
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadEntry(f"it is not JSON: {error}") from None
    if not isinstance(payload, dict):
        raise BadEntry("it is not a JSON object")
    return payload
