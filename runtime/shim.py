"""Starts one command, ends whatever it leaves behind, and writes down how it ended, even when the runtime is dead.

The runtime starts this file by its path, `python -I -S shim.py`, once for each agent and each gate command; only
`runtime.process` knows how to talk to it. It stands between the runtime and the command because nobody else can do its
three jobs:

* It outlives the runtime. Its control socket (file descriptor 1) reaches end of file when the runtime dies, by
  `kill -9` too. Then it ends the command, so that nothing spends money unattended, and still writes the exit record.
* It is a child subreaper. A process that double-forks and calls setsid leaves every process group and session that
  could be signalled, but becomes a child of this one; "no children left" is exact. Where there are no subreapers
  (macOS; written for, not tested there) it falls back to the command's process group.
* The command's output goes straight into files. No pipe can be held open by a grandchild, nothing is lost with the
  runtime, and programs that drop what they have not yet written into a pipe when they exit (Node's) do not.

The start is on the path of every step, so the imports are few: no `json` (6 ms) for a record whose one free text is a
message, and `_signal` for `signal`, whose enums take 7. The request is marshalled, since both ends are the same
interpreter, and argument vectors and environments are bytes. It comes over the socket: arguments show in `ps`.
"""

from __future__ import annotations

import marshal
import os
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    Prctl = Callable[[int, int], int]
else:
    import _signal as signal

VERSION = 1
TICK = 0.1  # seconds between two looks at the size of the output
ORPHAN_GRACE = 1.0  # for a command whose runtime died: nobody waits for it, and it may be spending money
SWEEP_GRACE = 0.5  # for what a command left behind when it ended by itself
KILL_LIMIT = 2.0  # after SIGKILL; only a process stuck in the kernel is still there then

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)  # the runtime decides, not the terminal
DEFAULTED = (*IGNORED, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD)  # the last but one are ignored by Python

# argv, environment, directory, stdout, stderr, record, max_output, grace
Request = tuple[list[bytes], dict[bytes, bytes], bytes, bytes, bytes, bytes, int, float]


class NotStarted(Exception):
    """The command could not be started; the text says why."""


class Command:
    """A running command with all its descendants. `status` is its wait status, None while it runs."""

    def __init__(self, pid: int, *, reaper: bool, wake: int) -> None:
        self.pid = pid
        self.status: int | None = None
        self._reaper = reaper
        self.wake = wake
        self._childless = False

    def reap(self) -> None:
        """Collect what has ended, adopted orphans included."""
        try:
            os.read(self.wake, 4096)
        except BlockingIOError:
            pass
        while not self._childless:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self._childless = True
                return
            if pid == 0:
                return
            if pid == self.pid:
                self.status = status

    def gone(self) -> bool:
        """Whether neither it nor a descendant is left, as far as this system lets us see."""
        return self._childless and (self._reaper or not _send(self.pid, 0, group=True))

    def signal(self, number: int) -> None:
        """Send a signal to it and to every descendant."""
        if not self._reaper:
            _send(self.pid, number, group=True)
            return
        for pid in descendants(os.getpid()):
            _send(pid, number)


def _send(pid: int, number: int, *, group: bool = False) -> bool:
    try:
        os.killpg(pid, number) if group else os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def descendants(root: int) -> list[int]:
    """Process ids of all descendants of `root`, parents before children."""
    children: dict[int, list[int]] = {}
    for pid, fields in process_table():
        children.setdefault(int(fields[1]), []).append(pid)
    found = [root]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found[1:]


def process_table() -> list[tuple[int, list[bytes]]]:
    """Each process with the fields of its `/proc` stat line that follow its name: state, parent, group, session, …"""
    table = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            file = os.open(f"/proc/{name}/stat", os.O_RDONLY)
        except OSError:
            continue
        try:
            table.append((int(name), os.read(file, 4096).rpartition(b")")[2].split()))
        except ProcessLookupError:
            pass
        finally:
            os.close(file)
    return table


def main() -> None:
    """Serve the one request that comes over file descriptor 1; file descriptor 0 is the command's standard input."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    control = os.dup(1)
    request = _receive(control)
    if request is not None:  # else the runtime died before it had said what to start
        _serve(control, request)


def _serve(control: int, request: Request) -> None:
    argv, environment, directory, stdout, stderr, record, max_output, grace = request
    started, clock = time.time(), time.monotonic()
    try:
        _forget(record)
        outputs = _open_outputs(stdout, stderr)
        command = _start(argv, environment, directory, outputs, control)
    except (NotStarted, OSError) as error:
        reason, status, message, ended = "not_started", None, str(error), clock
    else:
        reason, ended, message = _guard(command, control, outputs, max_output, grace)
        status = command.status
    times = (started, started + ended - clock)
    failure = _save(record, _record(status, reason, times, message))
    _tell(control, _record(status, reason, times, "; ".join(filter(None, (message, failure)))))


def _record(status: int | None, reason: str, times: tuple[float, float], message: str) -> bytes:
    code = None if status is None else os.waitstatus_to_exitcode(status)
    number = None if code is None or code >= 0 else -code
    text = (
        f'{{"version": {VERSION}, "code": {_json(code if number is None else None)}, "signal": {_json(number)}, '
        f'"reason": {_json(reason)}, "started": {times[0]!r}, "ended": {times[1]!r}, "message": {_json(message)}}}\n'
    )
    return text.encode("utf-8", "replace")


def _json(value: str | int | None) -> str:
    if not isinstance(value, str):
        return "null" if value is None else str(value)
    return '"' + "".join(f"\\u{ord(c):04x}" if c in '"\\' or c < " " else c for c in value) + '"'


def _receive(control: int) -> Request | None:
    header = _read_exactly(control, 8)
    body = _read_exactly(control, int.from_bytes(header, "big")) if header else None
    return marshal.loads(body) if body else None


def _read_exactly(control: int, size: int) -> bytes | None:
    parts = []
    while size > 0:
        part = os.read(control, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _start(
    argv: list[bytes], environment: dict[bytes, bytes], directory: bytes, outputs: tuple[int, int], control: int
) -> Command:
    wake = _wake_on_child()
    prctl = _prctl()
    reaper = prctl is not None and prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 and os.path.exists("/proc/self/stat")
    pid = _spawn(argv, environment, lambda shim: _adopt(directory, outputs, prctl, shim, control))
    return Command(pid, reaper=reaper, wake=wake)


def _guard(
    command: Command, control: int, outputs: tuple[int, int], max_output: int, grace: float
) -> tuple[str, float, str]:
    """Wait for the command's end or for a reason to end it, then end all of it; the reason, when it was, a remark."""
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(command.wake, select.POLLIN)
    reason = _watch(command, poll, control, outputs, max_output)
    ended = time.monotonic()
    _end(command, poll, control, _grace_for(reason, grace))
    if reason != "exited":
        ended = time.monotonic()
    if not command.gone():
        return reason, ended, "some of its processes could not be ended"
    if _size(outputs) > max_output:
        return "flooded" if reason == "exited" else reason, ended, _cut(outputs, max_output)
    return reason, ended, ""


def _watch(command: Command, poll: select.poll, control: int, outputs: tuple[int, int], max_output: int) -> str:
    while True:
        ready = dict(poll.poll(TICK * 1000))
        command.reap()
        if command.status is not None:
            return "exited"
        if control in ready:
            return "stopped" if _heard(control) else "orphaned"
        if _size(outputs) > max_output:
            return "flooded"


def _heard(control: int) -> bytes:
    try:
        return os.read(control, 1)
    except ConnectionResetError:
        return b""


def _grace_for(reason: str, grace: float) -> float:
    return {
        "exited": SWEEP_GRACE,
        "stopped": grace,
        "orphaned": min(grace, ORPHAN_GRACE),
        "flooded": 0.0,  # every moment more of it fills the disk
    }[reason]


def _end(command: Command, poll: select.poll, control: int, grace: float) -> None:
    """End the command and all descendants: SIGTERM, after `grace` seconds SIGKILL. A word meanwhile shortens that."""
    deadline = time.monotonic() + grace
    if not command.gone() and grace > 0:
        command.signal(signal.SIGTERM)
        command.signal(signal.SIGCONT)  # a stopped process gets the SIGTERM only once it goes on
    while not command.gone() and time.monotonic() < deadline:
        ready = dict(poll.poll(50))
        command.reap()
        if control in ready:
            poll.unregister(control)
            deadline = min(deadline, time.monotonic() + ORPHAN_GRACE)
    deadline = time.monotonic() + KILL_LIMIT
    while not command.gone() and time.monotonic() < deadline:
        command.signal(signal.SIGKILL)  # again and again: one that forks may be missed by one look
        time.sleep(0.002)
        command.reap()


def _open_outputs(stdout: bytes, stderr: bytes) -> tuple[int, int]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    first = os.open(stdout, flags, 0o600)
    _claim(first)
    return (first, first if stderr == stdout else os.open(stderr, flags, 0o600))


def _claim(output: int) -> None:
    """Lock the output for as long as this process lives, which is longer than its command: see `process.is_over`."""
    try:
        os.lockf(output, os.F_TLOCK, 0)
    except OSError:
        pass  # a file system without locks


def _size(outputs: tuple[int, int]) -> int:
    return sum(os.fstat(file).st_size for file in set(outputs))


def _cut(outputs: tuple[int, int], max_output: int) -> str:
    size = _size(outputs)
    for file in set(outputs):
        if os.fstat(file).st_size > max_output:
            os.ftruncate(file, max_output)
    return f"it wrote {size} bytes of output, more than the {max_output} allowed"


def _wake_on_child() -> int:
    """A file descriptor that becomes readable when a child ends."""
    wake, write = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return wake


def _prctl() -> Prctl | None:
    """The system call, or None where there is none."""
    try:
        import ctypes  # a Python may be built without it

        function = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None
    function.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    return lambda option, value: function(option, value, 0, 0, 0)


def _spawn(argv: list[bytes], environment: dict[bytes, bytes], adopt: Callable[[int], None]) -> int:
    """The process id of the started command; raises `NotStarted`, with the child gone, when it can't be started."""
    read, write = os.pipe()  # both close at the exec: end of file means success
    shim = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            adopt(shim)
            _execute(argv, environment)
        except Exception as error:  # whatever it is, the parent must hear of it
            os.write(write, str(error).encode("utf-8", "backslashreplace")[:4000])
        finally:
            os._exit(127)
    os.close(write)
    with open(read, "rb") as failure:
        message = failure.read()
    if message:
        os.waitpid(pid, 0)
        raise NotStarted(message.decode())
    return pid


def _adopt(directory: bytes, outputs: tuple[int, int], prctl: Prctl | None, shim: int, control: int) -> None:
    """Give this process, freshly forked, everything of the command but its program."""
    os.setsid()
    _tell(control, b"%d\n" % os.getpid())  # before its program can do anything to the shim, which would tell it later
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # should the shim be killed, its command is not left alone
        if os.getppid() != shim:
            os.kill(os.getpid(), signal.SIGKILL)
    os.dup2(outputs[0], 1)
    os.dup2(outputs[1], 2)
    try:
        os.chdir(directory)
    except OSError as error:
        raise NotStarted(f"cannot enter {os.fsdecode(directory)}: {error.strerror}") from None
    for number in DEFAULTED:
        signal.signal(number, signal.SIG_DFL)


def _execute(argv: list[bytes], environment: dict[bytes, bytes]) -> None:
    name = argv[0]
    folders = [b""] if b"/" in name else environment.get(b"PATH", os.defpath.encode()).split(b":")
    reason = "not found"
    for folder in folders:
        try:
            os.execve(os.path.join(folder, name), argv, environment)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            reason = str(error.strerror)
    raise NotStarted(f"cannot start {os.fsdecode(name)}: {reason}")


def _forget(record: bytes) -> None:
    """Remove an earlier command's record, which must not pass for this one's."""
    try:
        os.unlink(record)
    except FileNotFoundError:
        pass


def _save(path: bytes, content: bytes) -> str:
    """Put the record on disk; what went wrong, if anything. The runtime must learn the truth on a full disk too."""
    try:
        _write(path, content)
    except OSError as error:
        return f"its exit record could not be written: {error.strerror}"
    return ""


def _write(path: bytes, content: bytes) -> None:
    """Make `content` the file at `path`, whole and durable or not at all."""
    temporary = path + b".tmp"
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        while content:  # a disk that fills up takes a part first
            content = content[os.write(file, content) :]
        os.fsync(file)
    finally:
        os.close(file)
    os.rename(temporary, path)
    folder = os.open(os.path.dirname(path) or b".", os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _tell(control: int, message: bytes) -> None:
    try:
        os.write(control, message)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the runtime is dead; the record on disk is for the next one


if __name__ == "__main__":
    main()
    os._exit(0)  # at once: nothing is left to flush or to join
