"""Atomic writes, limited reads, and a lock that names its holder."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime.files import LockHeld, UnreadableFile, lock_holder, read_limited, take_lock, write_atomic

HOLDER = """
import sys, time
from pathlib import Path
from runtime.files import take_lock
take_lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_write_atomic_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_atomic(path, b"old")
    write_atomic(path, b"new" * 100_000)
    assert path.read_bytes() == b"new" * 100_000
    assert os.listdir(tmp_path) == ["state.json"]


def test_a_failed_write_keeps_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "taken"
    path.mkdir()
    (path / "inside").write_text("kept")
    with pytest.raises(OSError, match="taken"):
        write_atomic(path, b"data")
    assert (path / "inside").read_text() == "kept"
    assert os.listdir(tmp_path) == ["taken"]


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("untouched")
    link = tmp_path / "link"
    link.symlink_to(target)
    write_atomic(link, b"mine")
    assert target.read_text() == "untouched"
    assert link.read_bytes() == b"mine"


def test_read_limited_takes_the_limit_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_limited(path, 5) == b"12345"
    with pytest.raises(UnreadableFile, match="larger than 4 bytes"):
        read_limited(path, 4)


def test_read_limited_does_not_wait_on_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UnreadableFile, match="not a regular file"):
        read_limited(pipe, 10)
    with pytest.raises(OSError, match="null"):
        read_limited(Path("/dev/null"), 10)


def test_a_lock_names_its_holder_and_dies_with_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert lock_holder(path) is None
    assert not path.exists()
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        began = time.monotonic()
        with pytest.raises(LockHeld) as held:
            take_lock(path)
        assert time.monotonic() - began < 1
        assert held.value.pid == holder.pid
        found = lock_holder(path)
        assert found is not None
        assert found.pid == holder.pid
        holder.kill()
    assert lock_holder(path) is None
    os.close(take_lock(path))
