"""A damaged or poisoned cache is never believed, and nothing in it is ever run.

Databases are damaged on a copy of one good store; whatever the damage, each key gives its own payload or nothing.
"""

from __future__ import annotations

import io
import os
import pickle
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from runtime.cache import Cache

PAYLOADS = {f"key-{number}": {"tree": f"{number:040x}", "text": "x" * (number * 30)} for number in range(25)}


class Canary:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return io.open, (str(self.path), "w")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    directory = tmp_path / "cache"
    with Cache.open(directory) as cache:
        for key, payload in PAYLOADS.items():
            cache.put("step", key, payload)
    assert os.listdir(directory) == ["cache.db"]
    return directory


def change(store: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(store / "cache.db", isolation_level=None)) as connection:
        assert connection.execute(statement, values).rowcount != 0


def read_all(store: Path) -> tuple[dict[str, object], list[str]]:
    """What every key gives, keys that give nothing left out, and the warnings."""
    with Cache.open(store) as cache:
        found = {key: cache.get("step", key) for key in PAYLOADS}
        cache.verify()
        assert dict(cache.items("step")).items() <= PAYLOADS.items()
        return {key: payload for key, payload in found.items() if payload is not None}, cache.warnings


def check_never_wrong(store: Path) -> tuple[int, list[str]]:
    found, warnings = read_all(store)
    assert found.items() <= PAYLOADS.items()
    if len(found) < len(PAYLOADS):
        assert warnings
    with Cache.open(store) as cache:
        cache.put("step", "key-0", {"new": True})
        assert cache.get("step", "key-0") == {"new": True}
    return len(found), warnings


@pytest.mark.slow
def test_a_flip_anywhere_in_the_database_is_a_miss_or_harmless(store: Path, tmp_path: Path) -> None:
    whole = (store / "cache.db").read_bytes()
    rng = random.Random(50)
    missed = 0
    for number, at in enumerate(range(0, len(whole), 50)):
        copy = tmp_path / str(number) / "cache"
        copy.mkdir(parents=True)
        (copy / "cache.db").write_bytes(whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1 :])
        found, _ = check_never_wrong(copy)
        missed += found < len(PAYLOADS)
        shutil.rmtree(copy.parent)
    assert missed > 50


def test_every_flip_in_a_value_is_told(store: Path) -> None:
    with closing(sqlite3.connect(store / "cache.db")) as connection:
        (value,) = connection.execute("SELECT value FROM Cache WHERE key = 'step:key-3'").fetchone()
    with Cache.open(store) as cache:
        for bit in range(0, len(value) * 8, 5):
            flipped = bytearray(value)
            flipped[bit // 8] ^= 1 << bit % 8
            change(store, "UPDATE Cache SET value = ? WHERE key = 'step:key-3'", bytes(flipped))
            assert cache.get("step", "key-3") is None
            assert "step:key-3" in cache.warnings.pop()
            assert cache.warnings == []
        change(store, "UPDATE Cache SET value = ? WHERE key = 'step:key-3'", value)
        assert cache.get("step", "key-3") == PAYLOADS["key-3"]


def test_swapped_values_are_not_believed(store: Path) -> None:
    change(store, "UPDATE Cache SET key = 'step:x' WHERE key = 'step:key-1'")
    change(store, "UPDATE Cache SET key = 'step:key-1' WHERE key = 'step:key-2'")
    change(store, "UPDATE Cache SET key = 'step:key-2' WHERE key = 'step:x'")
    change(store, "UPDATE Cache SET key = 'gate:key-3' WHERE key = 'step:key-3'")
    with Cache.open(store) as cache:
        assert [cache.get("step", "key-1"), cache.get("step", "key-2"), cache.get("gate", "key-3")] == [None] * 3
        assert len(cache.warnings) == 3
        assert cache.get("step", "key-4") == PAYLOADS["key-4"]


@pytest.mark.parametrize(
    "assignment",
    [
        "mode = 4",
        "mode = 4, raw = 1, filename = 'planted.val', value = NULL",
        "mode = 2, filename = 'planted.val', value = NULL",
        "mode = 3, filename = '../outside', value = NULL",
        "mode = 1",
        "mode = NULL",
        "value = NULL",
        "value = 7",
        "value = 'text'",
        "value = CAST(x'ff22' AS TEXT)",
        "raw = 0",
        "raw = 'x'",
        "key = CAST('step:key-5' AS BLOB), raw = 0",
    ],
)
def test_planted_pickles_and_rows_are_never_loaded(store: Path, tmp_path: Path, assignment: str) -> None:
    poison = pickle.dumps(Canary(tmp_path / "canary"))
    (store / "planted.val").write_bytes(poison)
    (tmp_path / "outside").write_text("the user's")
    change(store, "UPDATE Cache SET value = ? WHERE key = 'step:key-5'", poison)
    change(store, f"UPDATE Cache SET {assignment} WHERE key = 'step:key-5'")
    found, warnings = read_all(store)
    assert found == {key: payload for key, payload in PAYLOADS.items() if key != "key-5"}
    assert warnings
    with Cache.open(store) as cache:
        cache.put("step", "key-5", PAYLOADS["key-5"])
        assert cache.get("step", "key-5") == PAYLOADS["key-5"]
        cache.forget("step", "key-5")
    assert not (tmp_path / "canary").exists()
    assert (tmp_path / "outside").read_text() == "the user's"
    assert (store / "planted.val").exists()


def test_a_pickled_key_is_never_loaded(store: Path, tmp_path: Path) -> None:
    poison = pickle.dumps(Canary(tmp_path / "canary"))
    change(store, "INSERT INTO Cache (key, raw, mode, value) VALUES (?, 0, 1, x'00')", poison)
    found, warnings = read_all(store)
    assert found == PAYLOADS
    assert any("not ours" in warning for warning in warnings)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO Settings VALUES ('_directory', '/nowhere')",
        "INSERT INTO Settings VALUES ('disk_unknown', 1)",
        "DROP TABLE Cache; CREATE TABLE Cache (key TEXT)",
        "DROP TABLE Settings",
        "DROP TABLE Settings; CREATE TABLE Settings (key TEXT)",
        "DROP TABLE Cache; CREATE VIEW Cache AS SELECT 1 AS key, 1 AS raw",
        "UPDATE Settings SET value = 'nonsense; x' WHERE key = 'sqlite_journal_mode'",
    ],
)
def test_a_database_that_was_tampered_with_is_set_aside_or_put_right(store: Path, statement: str) -> None:
    with closing(sqlite3.connect(store / "cache.db", isolation_level=None)) as connection:
        connection.executescript(statement)
    check_never_wrong(store)


GARBAGE = [b"garbage" * 1000, b"\0" * 8192, b"SQLite format 3\0", b"SQLite format 3\0" + b"\xff" * 9000]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
@pytest.mark.parametrize("reads_first", [True, False])
def test_a_garbage_database_is_kept_aside_and_begun_anew(store: Path, garbage: bytes, reads_first: bool) -> None:
    (store / "cache.db").write_bytes(garbage)
    with Cache.open(store) as cache:
        if reads_first:
            assert cache.get("step", "key-0") is None
        cache.put("step", "key-0", {"new": True})
        assert cache.get("step", "key-0") == {"new": True}
        assert len(cache.warnings) == 1
    assert (store.parent / "cache.damaged-1" / "cache.db").read_bytes() == garbage
    (store / "cache.db").write_bytes(garbage)
    with Cache.open(store) as cache:
        assert cache.get("step", "key-0") is None
        assert "cache.damaged-2" in cache.warnings[0]


def test_an_empty_database_is_a_new_one(store: Path) -> None:
    (store / "cache.db").write_bytes(b"")
    with Cache.open(store) as cache:
        assert cache.get("step", "key-0") is None
        cache.put("step", "key-0", {"new": True})
        assert cache.get("step", "key-0") == {"new": True}


def test_damage_under_an_open_cache_is_survived(store: Path) -> None:
    with Cache.open(store) as cache, Cache.open(store) as other:
        assert cache.get("step", "key-0") == other.get("step", "key-0") == PAYLOADS["key-0"]
        with open(store / "cache.db", "r+b") as file:
            file.write(b"\xff" * file.seek(0, os.SEEK_END))
        for each in (cache, other):
            for key, payload in PAYLOADS.items():
                assert each.get("step", key) in (None, payload)
        cache.put("step", "new", {"n": 1})
        other.put("step", "newer", {"n": 2})
    with Cache.open(store) as cache:
        assert [cache.get("step", "new"), cache.get("step", "newer")] == [{"n": 1}, {"n": 2}]
