"""Files that survive a crash: whole or absent, of known size, and with one writer at a time.

A file is replaced by writing a new one beside it, so a reader sees the old content or the new, never a part; the
folder is synced too, since a rename lives there. What comes back from disk may be anything (an agent ran in between):
reading stops at a limit, and refuses pipes and devices, which would block for ever.

The lock is `flock` on a file that stays: the kernel drops it when its holder dies, so no lock is ever stale. `filelock`
is not used for it, since it empties the file when it tries, and with it the holder's process id.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from pathlib import Path

LOCK_PATIENCE = 0.3
"""Seconds that taking a lock goes on trying: someone may only be asking whether it is held."""


class UnreadableFile(OSError):
    """A file that will not be read: larger than the limit, or not a regular file."""


class LockHeld(OSError):
    """Another process holds the lock; `pid` is that process, or None where it has not said so."""

    def __init__(self, path: Path, pid: int | None) -> None:
        super().__init__(f"{path} is held by {'another process' if pid is None else f'process {pid}'}")
        self.path = path
        self.pid = pid


def write_atomic(path: Path, data: bytes) -> None:
    """Replace the file at `path` by `data`, durably; on any error the old content stays.

    Raises:
        OSError: the disk is full, the folder is missing or can't be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        _write_synced(temporary, data)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _write_synced(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet, and wait for the disk to have it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        write_whole(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(descriptor: int, data: bytes) -> None:
    """Write all of `data`, in one system call unless the system takes only a part (a disk that fills up does)."""
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, data[written:])


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable: those just created, renamed or removed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_limited(path: Path, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes.

    Raises:
        UnreadableFile: it is larger, or is no regular file.
        OSError: it is missing or can't be read.
    """
    # Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnreadableFile(f"{path} is not a regular file")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise UnreadableFile(f"{path} is larger than {limit} bytes")
    return data


def take_lock(path: Path) -> int:
    """Hold the lock at `path`, created when missing, until the returned descriptor is closed or the process ends.

    Raises:
        LockHeld: another holder exists and did not go away within `LOCK_PATIENCE`.
        OSError: the file can't be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _wait_for_lock(path, descriptor)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _wait_for_lock(path: Path, descriptor: int) -> None:
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockHeld(path, _pid_in(descriptor)) from None
        time.sleep(0.01)


def lock_holder(path: Path) -> LockHeld | None:
    """Who holds the lock at `path` now, or None; creates nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return LockHeld(path, _pid_in(descriptor))
    finally:
        os.close(descriptor)
    return None


def _pid_in(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else None
