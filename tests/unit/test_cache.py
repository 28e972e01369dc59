"""The cache as its users see it: what is put is got, by any process, and reading leaves no trace."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.cache import TABLES, Cache, CacheUnavailable, TableStats

WRITER = """
import sys
from pathlib import Path
from runtime.cache import Cache

with Cache.open(Path(sys.argv[1])) as cache:
    for number in range(200):
        cache.put("step", f"{sys.argv[2]}-{number}", {"from": sys.argv[2], "number": number})
        cache.put("last", "shared", {"from": sys.argv[2], "number": number})
    print("\\n".join(cache.warnings))
"""


def test_what_is_put_is_got_by_the_next_process(tmp_path: Path) -> None:
    payload = {"tree": "4f2c", "outputs": {"text": "Grüße \ud800", "n": [1, 2.5, None, True]}}
    with Cache.open(tmp_path / "cache") as cache:
        cache.put("step", "k", {"old": 1})
        cache.put("step", "k", payload)
        assert cache.get("step", "k") == payload
    with Cache.open(tmp_path / "cache") as cache:
        assert cache.get("step", "k") == payload
        assert cache.get("gate", "k") is None
        assert cache.warnings == []


def test_reading_creates_nothing(tmp_path: Path) -> None:
    with Cache.open(tmp_path / "git" / "cache") as cache:
        assert cache.get("step", "k") is None
        assert list(cache.items("step")) == []
        assert cache.stats() == tuple(TableStats(table, 0, 0) for table in TABLES)
        assert cache.verify() == ()
        assert cache.forget("step", "k") is False
    assert os.listdir(tmp_path) == []


def test_a_cache_made_meanwhile_is_seen(tmp_path: Path) -> None:
    with Cache.open(tmp_path / "cache") as early, Cache.open(tmp_path / "cache") as late:
        assert early.get("step", "k") is None
        late.put("step", "k", {"n": 1})
        assert early.get("step", "k") == {"n": 1}


def test_items_and_stats_are_by_table(tmp_path: Path) -> None:
    with Cache.open(tmp_path / "cache") as cache:
        for number in range(250):
            cache.put("step", f"{number:03}", {"n": number})
        cache.put("gate", "a:b", {"verdict": "pass"})
        assert list(cache.items("step")) == [(f"{number:03}", {"n": number}) for number in range(250)]
        assert list(cache.items("gate")) == [("a:b", {"verdict": "pass"})]
        assert [(entry.table, entry.entries) for entry in cache.stats()] == list(
            zip(TABLES, (250, 1, 0, 0), strict=True)
        )
        assert cache.verify() == ()


def test_forget_removes_one_entry(tmp_path: Path) -> None:
    with Cache.open(tmp_path / "cache") as cache:
        cache.put("step", "a", {})
        cache.put("step", "b", {})
        assert cache.forget("step", "a") is True
        assert cache.forget("step", "a") is False
        assert cache.get("step", "a") is None
        assert cache.get("step", "b") == {}


@pytest.mark.parametrize("payload", [{"x": float("nan")}, {"x": b"bytes"}, {"x": Path()}])
def test_what_is_not_json_is_refused(tmp_path: Path, payload: dict[str, object]) -> None:
    with Cache.open(tmp_path / "cache") as cache, pytest.raises((ValueError, TypeError), match="JSON"):
        cache.put("step", "k", payload)


def test_large_values_stay_in_the_database(tmp_path: Path) -> None:
    with Cache.open(tmp_path / "cache") as cache:
        cache.put("step", "k", {"text": "x" * 3_000_000})
        assert cache.get("step", "k") == {"text": "x" * 3_000_000}
    assert os.listdir(tmp_path / "cache") == ["cache.db"]


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "cache")]
    writers = [subprocess.Popen([*command, name], stdout=subprocess.PIPE) for name in "ab"]
    assert [writer.communicate()[0].strip() for writer in writers] == [b"", b""]
    assert [writer.returncode for writer in writers] == [0, 0]
    with Cache.open(tmp_path / "cache") as cache:
        for name in "ab":
            for number in range(200):
                assert cache.get("step", f"{name}-{number}") == {"from": name, "number": number}
        assert cache.get("last", "shared") in ({"from": "a", "number": 199}, {"from": "b", "number": 199})
        assert cache.verify() == ()


@pytest.mark.slow
def test_a_locked_database_is_left_alone(tmp_path: Path) -> None:
    with Cache.open(tmp_path / "cache") as cache:
        cache.put("step", "k", {"n": 1})
    other = sqlite3.connect(tmp_path / "cache" / "cache.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with Cache.open(tmp_path / "cache") as cache:
        assert cache.get("step", "k") is None
        assert cache.get("step", "k") is None
        assert len(cache.warnings) == 1
        assert "locked" in cache.warnings[0]
        with pytest.raises(CacheUnavailable, match="locked"):
            cache.put("step", "k", {"n": 2})
        other.close()
        cache.put("step", "k", {"n": 3})
    with Cache.open(tmp_path / "cache") as cache:
        assert cache.get("step", "k") == {"n": 3}
    assert os.listdir(tmp_path) == ["cache"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with Cache.open(tmp_path / "file" / "cache") as cache:
        assert cache.get("step", "k") is None
        with pytest.raises(CacheUnavailable):
            cache.put("step", "k", {})


def test_a_path_that_names_a_variable_is_not_followed_elsewhere(tmp_path: Path) -> None:
    with (
        Cache.open(tmp_path / "$HOME" / "cache") as cache,
        pytest.raises(CacheUnavailable, match="environment variable"),
    ):
        cache.put("step", "k", {})
