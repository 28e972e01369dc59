"""Runs one command under a shim: gives its output line by line, stops it when asked, says how it ended.

Everything hard is done by `runtime.shim`, a process of its own that also survives this one; here is the other end of
its socket. End of file on that socket is the end of the command, so nothing waits longer than needed. The output is
a file that grows: it is looked at every few milliseconds, which costs nothing that can be measured and needs no
inotify. A line that spans several looks is read again, as a whole, once its end is there: it takes no memory before
that, and linear time.

A command may use up all the time and output it is allowed, kill or stop its shim, or leave daemons behind; `run` still
returns. The one thing it can't promise: after a SIGKILL of the shim, processes that had left the command's session
are no longer known to anybody.
"""

from __future__ import annotations

import contextlib
import json
import marshal
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, get_args

from runtime import shim as guard

Reason = Literal["exited", "stopped", "orphaned", "not_started", "flooded"]

LOOK = 0.01
"""Seconds between two looks at a growing output."""
ASK = 0.04
"""Seconds between two questions whether to stop."""
CHUNK = 1 << 18
"""Bytes read from an output at a time."""
SHIM_LIMIT = guard.KILL_LIMIT + 1.0
"""Seconds that a shim may take beyond its grace; then it hangs, and is killed."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. `environment` is all of it; `argv[0]` is looked up in its PATH unless it has a slash.

    `stdout` and `stderr` are files that are made or emptied, and may be the same one. `record` is where the shim puts
    the exit record; an older one there is removed first. The folders must exist. An empty `stdin` is /dev/null.
    `max_output` is in bytes, for both files together; what is beyond it is cut off.
    """

    argv: tuple[str, ...]
    directory: str
    environment: Mapping[str, str]
    stdout: Path
    stderr: Path
    record: Path
    stdin: bytes = b""
    max_output: int = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Exit:
    """How a command ended.

    exited: by itself. stopped: `stop` said so. flooded: it wrote too much. not_started: `message` says why.
    orphaned: its guard died (in a record: the runtime; from `run`: the shim), so it was killed.
    `code` is None when it was ended by the signal `signal`, and both are None when nobody saw its end.
    """

    reason: Reason
    code: int | None
    signal: int | None
    seconds: float
    message: str = ""


def never() -> bool:
    """Don't stop."""
    return False


def run(
    command: Command,
    *,
    on_line: Callable[[bytes], None] | None = None,
    stop: Callable[[], bool] = never,
    grace: float = 5.0,
) -> Exit:
    """Run `command` to its end and return how it ended; none of its processes is left then.

    `on_line` gets each line of standard output without its line feed, as soon as it is whole; the last one also
    without, save when the output was cut off. `stop` is asked every few hundredths of a second until it says True.
    To stop is SIGTERM to all of the command's processes, and SIGKILL to those left after `grace` seconds; lines go on
    until the end. An exception from `on_line` or `stop`, or Ctrl-C, stops the command before it propagates.

    Raises:
        OSError: the shim itself can't be started (too many processes or open files).
    """
    try:
        request = _request(command, grace)
        tail = None if on_line is None else _Tail(command.stdout)
    except (OSError, UnicodeEncodeError) as error:
        return Exit("not_started", None, None, 0.0, str(error))
    with tail or contextlib.nullcontext(), _Shim(request, command.stdin, grace) as shim:
        ask = _Question(shim, stop)
        if tail is None or on_line is None:
            while not shim.wait(ASK):
                ask()
        else:
            _follow(shim, tail, on_line, ask)
        return shim.exit


def _follow(shim: _Shim, tail: _Tail, on_line: Callable[[bytes], None], ask: _Question) -> None:
    while not shim.wait(0 if tail.behind else LOOK):
        ask()
        for line in tail.lines():
            on_line(line)
            ask()
    for line in tail.rest(whole=shim.exit.reason != "flooded"):
        on_line(line)


def read_record(path: Path) -> Exit | None:
    """The exit record that a shim left at `path`; None when it is missing, torn or not understood."""
    try:
        return _parse_record(path.read_bytes())
    except OSError:
        return None


def is_over(stdout: Path) -> bool:
    """Whether no command that writes to `stdout` is there any more, also one that an earlier runtime has started."""
    try:
        file = os.open(stdout, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return True
    try:
        os.lockf(file, os.F_TEST, 0)
        return True
    except OSError:
        return False
    finally:
        os.close(file)


def _parse_record(text: bytes) -> Exit | None:
    try:
        record = json.loads(text)
        reason, code, number, message = record["reason"], record["code"], record["signal"], record["message"]
        seconds = float(record["ended"] - record["started"])
        whole = record["version"] == guard.VERSION and reason in get_args(Reason) and isinstance(message, str)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not whole or not all(value is None or type(value) is int for value in (code, number)):
        return None
    return Exit(reason, code, number, seconds, message)


def _request(command: Command, grace: float) -> bytes:
    """What the shim is to do, with the length ahead; marshalled, as both ends are the same interpreter."""
    request: guard.Request = (
        [os.fsencode(argument) for argument in command.argv],
        {os.fsencode(name): os.fsencode(value) for name, value in command.environment.items()},
        _path(command.directory),
        _path(command.stdout),
        _path(command.stderr),
        _path(command.record),
        command.max_output,
        float(grace),
    )
    body = marshal.dumps(request)
    return len(body).to_bytes(8, "big") + body


def _program() -> str:
    """The shim's file: its compiled form, if the import of it left one, saves 4 ms a start."""
    compiled = guard.__spec__.cached
    return compiled if compiled is not None and os.path.exists(compiled) else guard.__file__


def _path(path: str | Path) -> bytes:
    return os.fsencode(os.path.abspath(path))


@contextlib.contextmanager
def _stdin_file(content: bytes) -> Iterator[IO[bytes]]:
    """`content` as a file without a name, in memory where that can be: a prompt may hold secrets."""
    if not content:
        with open(os.devnull, "rb") as nothing:
            yield nothing
        return
    with open(os.memfd_create("stdin"), "w+b") if hasattr(os, "memfd_create") else tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        yield file


class _Shim:
    """A shim at work. As a context it is over when left: an exception stops the command first."""

    def __init__(self, request: bytes, stdin: bytes, grace: float) -> None:
        self.over = False
        self._grace = grace
        self._started = time.monotonic()
        self._deadline: float | None = None
        self._said = b""
        self._socket, theirs = socket.socketpair()
        try:
            with theirs, _stdin_file(stdin) as file:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", _program()],
                    stdin=file,
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            self._poll = select.poll()
            self._poll.register(self._socket, select.POLLIN)
            self._send(request)
        except BaseException:
            self._socket.close()  # a shim that has started takes it for our death, and ends
            raise

    def __enter__(self) -> _Shim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
            while not self.wait(ASK):
                pass
        finally:  # a second Ctrl-C comes here: the end of file shortens what is left of the grace
            self._socket.close()

    def wait(self, seconds: float) -> bool:
        """Wait for news for at most `seconds`; whether the shim, and the command with it, is over."""
        if self.over:
            return True
        if self._deadline is not None:
            self._urge(self._deadline)
        if self._poll.poll(seconds * 1000):
            self._hear()
        return self.over

    def stop(self) -> None:
        """Have the command stopped, once."""
        if self.over or self._deadline is not None:
            return
        self._deadline = time.monotonic() + self._grace + SHIM_LIMIT
        self._send(b"s")

    @property
    def exit(self) -> Exit:
        """How the command ended; only once it is over."""
        pid, record = self._news()
        if record is not None:
            return record
        seconds = time.monotonic() - self._started
        if pid is None:
            return Exit("not_started", None, None, seconds, "its shim ended before it had started it")
        return Exit("orphaned", None, None, seconds, "its shim was killed, and it with it")

    def _news(self) -> tuple[int | None, Exit | None]:
        """The command's process id and its exit record, as far as the shim has told them."""
        lines = self._said.split(b"\n")[:-1]
        pid = int(lines.pop(0)) if lines and lines[0].isdigit() else None
        return pid, _parse_record(lines[0]) if lines else None

    def _urge(self, deadline: float) -> None:
        """See to it that the shim stops the command: the command may have stopped the shim."""
        self._process.send_signal(signal.SIGCONT if time.monotonic() < deadline else signal.SIGKILL)

    def _send(self, message: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has ended; `wait` tells
            self._socket.sendall(message)

    def _hear(self) -> None:
        try:
            part = self._socket.recv(1 << 16)
        except ConnectionResetError:
            part = b""
        self._said += part
        if not part:
            self._process.wait()
            self.over = True
            pid, record = self._news()
            if pid is not None and record is None:
                _sweep_session(pid)


def _sweep_session(session: int) -> None:
    """Kill what is left of a session whose shim can no longer do it."""
    deadline = time.monotonic() + guard.KILL_LIMIT
    while (left := _session_members(session)) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def _session_members(session: int) -> list[int]:
    try:
        table = guard.process_table()
    except FileNotFoundError:  # no /proc: its process group is all that can be reached, by one signal
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(session, signal.SIGKILL)
        return []
    return [pid for pid, fields in table if int(fields[3]) == session and fields[0] != b"Z"]


class _Question:
    """Asks `stop`, not more often than is useful, until it says True."""

    def __init__(self, shim: _Shim, stop: Callable[[], bool]) -> None:
        self._shim = shim
        self._stop = stop
        self._due = 0.0

    def __call__(self) -> None:
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + ASK / 2
        if self._stop():
            self._due = float("inf")
            self._shim.stop()


class _Tail:
    """The lines of a growing file, in chunks: `behind` says that there is more than was read."""

    def __init__(self, path: Path) -> None:
        self.behind = False
        self._file = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._line = 0  # where the first line not yet given begins
        self._read = 0  # up to where line feeds were looked for

    def __enter__(self) -> _Tail:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def lines(self) -> Iterator[bytes]:
        """The lines that end in the next chunk."""
        chunk = os.pread(self._file, CHUNK, self._read)
        self.behind = len(chunk) == CHUNK
        if not chunk:
            self._follow_truncation()
            return
        start, self._read = self._read, self._read + len(chunk)
        *ended, rest = chunk.split(b"\n")
        if not ended:
            return
        if self._line < start:
            ended[0] = self._span(self._line, start + len(ended[0]))
        self._line = self._read - len(rest)
        yield from ended

    def rest(self, *, whole: bool) -> Iterator[bytes]:
        """What is left when nobody writes any more; `whole` adds the last line if it has no line feed."""
        size = os.fstat(self._file).st_size
        while self._read < size:
            yield from self.lines()
        if whole and self._line < size:
            yield self._span(self._line, size)

    def _span(self, start: int, end: int) -> bytes:
        parts = []
        while start < end and (part := os.pread(self._file, end - start, start)):
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def _follow_truncation(self) -> None:
        """Begin again where the command has emptied its own output (`> /dev/stdout` does it)."""
        if os.fstat(self._file).st_size < self._read:
            self._line = self._read = 0
