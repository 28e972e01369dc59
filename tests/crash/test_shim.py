"""Nothing outlives a command: whatever it forks, however it ends, whoever is killed.

Every process of a test carries a mark in its environment, which its descendants inherit wherever they go.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.process import Command, read_record, run

FAKES = Path(__file__).parents[1] / "fakes"
AFTER_KILL = 2.0  # seconds within which everything of a killed runtime is over
KILLS = 20

pytestmark = pytest.mark.slow


@pytest.fixture
def mark() -> Iterator[str]:
    """A mark; whatever a failed test leaves behind is killed."""
    text = f"mark-{uuid.uuid4().hex}"
    yield text
    for pid in marked(text):
        os.kill(pid, signal.SIGKILL)


def marked(mark: str) -> list[int]:
    """The processes, other than zombies, whose environment holds the mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def survivors(mark: str, *, within: float) -> list[int]:
    """The marked processes that are left after `within` seconds, if not all end earlier."""
    deadline = time.monotonic() + within
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def family(head: str, folder: Path, mark: str) -> Command:
    argv = (sys.executable, "-I", "-S", str(FAKES / "family.py"), head)
    return Command(argv, str(folder), {"MARK": mark}, folder / "stdout", folder / "stderr", folder / "record")


def runner(folder: Path, mark: str, *argv: str) -> subprocess.Popen[bytes]:
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, FAKES / "runner.py", folder, *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "MARK": mark},
    )


def test_mark_finds_every_relative(tmp_path, mark):
    """The yardstick itself: while the family lives, all five of it are seen."""
    seen: list[int] = []
    run(family("stay", tmp_path, mark), on_line=lambda _: seen.extend(marked(mark)), stop=lambda: bool(seen), grace=0.1)
    assert len(seen) == 5


def test_nothing_survives_a_normal_end(tmp_path, mark):
    result = run(family("exit", tmp_path, mark))
    assert survivors(mark, within=0) == []
    assert (result.reason, result.code, result.message) == ("exited", 3, "")


@pytest.mark.parametrize("head", ["stay", "stubborn", "frozen"])
def test_nothing_survives_a_stop(tmp_path, mark, head):
    lines: list[bytes] = []
    result = run(family(head, tmp_path, mark), on_line=lines.append, stop=lambda: bool(lines), grace=0.3)
    assert survivors(mark, within=0) == []
    assert (result.reason, result.message, lines) == ("stopped", "", [b"ready"])


def test_nothing_survives_an_exception(tmp_path, mark):
    def interrupt(_: bytes) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(family("stubborn", tmp_path, mark), on_line=interrupt, grace=0.3)
    assert survivors(mark, within=0) == []


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
def test_nothing_survives_ctrl_c(tmp_path, mark, times):
    """The first is waited out; a second one ends the runtime at once, and the shim goes on alone."""
    argv = family("stubborn" if times == 2 else "stay", tmp_path, mark).argv
    with runner(tmp_path / "run", mark, *argv) as each:
        assert each.stdout is not None
        assert each.stdout.readline() == b"ready\n"
        for _ in range(times):
            each.send_signal(signal.SIGINT)
            time.sleep(0.2)
    assert survivors(mark, within=AFTER_KILL) == []
    record = read_record(tmp_path / "run" / "record")
    assert record is not None
    assert record.reason == "stopped"


def test_nothing_survives_a_fork_storm(tmp_path, mark):
    """Processes that replace themselves faster than one look at the process table."""
    storm = "import os\nwhile True:\n    if os.fork(): os._exit(0)\n    os.setsid()\n"
    program = f"{sys.executable} -I -S -c '{storm}' & echo ready; sleep 60"
    lines: list[bytes] = []
    command = Command(
        ("sh", "-c", program),
        str(tmp_path),
        {**os.environ, "MARK": mark},
        tmp_path / "o",
        tmp_path / "e",
        tmp_path / "r",
    )
    result = run(command, on_line=lines.append, stop=lambda: bool(lines), grace=0.2)
    assert survivors(mark, within=0) == []
    assert (result.reason, result.message) == ("stopped", "")


@pytest.mark.parametrize("head", ["stay", "stubborn", "frozen"])
def test_nothing_survives_the_runtime(tmp_path, mark, head):
    """kill -9 of the runtime, again and again: the exit record is there in time, and nobody is left."""
    argv = family(head, tmp_path, mark).argv
    folders = [tmp_path / str(index) for index in range(KILLS)]
    for batch in (folders[start : start + 5] for start in range(0, KILLS, 5)):
        runners = [runner(folder, mark, *argv) for folder in batch]
        for each in runners:
            with each:
                assert each.stdout is not None
                assert each.stdout.readline() == b"ready\n"
                each.kill()
        assert survivors(mark, within=AFTER_KILL) == []
    assert [read_record(folder / "record").reason for folder in folders] == ["orphaned"] * KILLS


def test_nothing_survives_a_runtime_killed_at_any_moment(tmp_path, mark):
    """The first tenth of a second holds the start of the shim, the request, the start of the command."""
    moments = random.Random(1)
    argv = family("stay", tmp_path, mark).argv
    for index in range(KILLS):
        with runner(tmp_path / str(index), mark, *argv) as each:
            time.sleep(0.05 + 0.1 * moments.random())
            each.kill()
    assert survivors(mark, within=AFTER_KILL) == []


def test_output_is_not_lost_with_the_runtime(tmp_path, mark):
    """What the command says in its last moments, after the runtime's death, is in the file and the record tells it."""
    program = "trap 'echo last words; exit 7' TERM; echo ready; while :; do sleep 0.01; done"
    with runner(tmp_path / "run", mark, "sh", "-c", program) as each:
        assert each.stdout is not None
        assert each.stdout.readline() == b"ready\n"
        each.kill()
    assert survivors(mark, within=AFTER_KILL) == []
    assert (tmp_path / "run" / "stdout").read_text() == "ready\nlast words\n"
    record = read_record(tmp_path / "run" / "record")
    assert record is not None
    assert (record.reason, record.code) == ("orphaned", 7)


def test_terminal_signals_do_not_end_the_shim(tmp_path, mark):
    """Neither SIGINT nor SIGTERM of the shim keeps it from its job."""
    program = "kill -INT $PPID; kill -TERM $PPID; kill -HUP $PPID; sleep 0.2; exit 8"
    with runner(tmp_path / "run", mark, "sh", "-c", program) as each:
        assert each.communicate()[0] == b"exited 8\n"


def test_killed_shim_is_noticed_and_its_session_ended(tmp_path, mark):
    program = "sleep 60 & trap '' TERM; kill -9 $PPID; echo ready; while :; do sleep 0.01; done"
    command = Command(
        ("sh", "-c", program),
        str(tmp_path),
        {**os.environ, "MARK": mark},
        tmp_path / "o",
        tmp_path / "e",
        tmp_path / "r",
    )
    result = run(command)
    assert survivors(mark, within=0) == []
    assert (result.reason, result.code, result.signal) == ("orphaned", None, None)
    assert "shim" in result.message
    assert read_record(tmp_path / "r") is None


def test_command_does_not_survive_both_killed_at_once(tmp_path, mark):
    """Runtime and shim gone together (out of memory, say): the command itself is still ended by the kernel."""
    with runner(tmp_path / "run", mark, "sh", "-c", "echo $PPID; exec sleep 60") as each:
        assert each.stdout is not None
        shim = int(each.stdout.readline())
        os.kill(each.pid, signal.SIGSTOP)  # it must not do anything about the shim's end
        os.kill(shim, signal.SIGKILL)
        each.kill()
    assert survivors(mark, within=AFTER_KILL) == []
