"""`runtime.process` against real commands: what they get, what comes back, and how they are ended."""

from __future__ import annotations

import hashlib
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.process import Command, Exit, read_record, run

PATH = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
PROMPT_END = 2.5  # seconds; far below every sleep here, far above what an end takes


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., Command]:
    def make(*argv: str, **more: object) -> Command:
        base = Command(argv, str(tmp_path), PATH, tmp_path / "out", tmp_path / "err", tmp_path / "record")
        return replace(base, **more)

    return make


def python(program: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", program)


def lines_of(command: Command, **options: object) -> tuple[list[bytes], Exit]:
    lines: list[bytes] = []
    return lines, run(command, on_line=lines.append, **options)


@pytest.mark.parametrize("code", [0, 1, 127, 255])
def test_exit_code_comes_back_and_is_recorded(command, code):
    result = run(command("sh", "-c", f"exit {code}"))
    assert (result.reason, result.code, result.signal, result.message) == ("exited", code, None, "")
    assert read_record(command().record) == result


def test_death_by_signal_is_no_exit_code(command):
    result = run(command("sh", "-c", "kill -USR1 $$"))
    assert (result.reason, result.code, result.signal) == ("exited", None, signal.SIGUSR1)


def test_seconds_are_the_commands_own(command):
    assert 0.3 <= run(command("sleep", "0.3")).seconds < PROMPT_END


def test_standard_input_arrives_byte_for_byte(command, tmp_path):
    content = os.urandom(1 << 20)
    run(command("sha256sum", stdin=content))
    assert (tmp_path / "out").read_text().split()[0] == hashlib.sha256(content).hexdigest()


def test_standard_input_can_be_opened_again_by_name(command, tmp_path):
    run(command("cat", "/dev/stdin", stdin=b"prompt"))
    assert (tmp_path / "out").read_bytes() == b"prompt"


def test_no_standard_input_is_dev_null(command, tmp_path):
    run(command("readlink", "/proc/self/fd/0"))
    assert (tmp_path / "out").read_text() == "/dev/null\n"


def test_environment_is_exact(command, tmp_path):
    environment = {"PATH": PATH["PATH"], "LINES": "a\nb", "ODD": "é\udcff", "EMPTY": ""}
    run(command("env", "-0", environment=environment))
    found = dict(item.split(b"=", 1) for item in (tmp_path / "out").read_bytes().split(b"\0") if item)
    assert found == {os.fsencode(name): os.fsencode(value) for name, value in environment.items()}


def test_arguments_are_exact(command, tmp_path):
    arguments = ("", " ", "a\nb", "$HOME", "*", "--", "\udcff", "é")
    run(command("printf", r"%s\0", *arguments))
    assert (tmp_path / "out").read_bytes().split(b"\0")[:-1] == [os.fsencode(each) for each in arguments]


def test_command_runs_in_its_directory(command, tmp_path):
    folder = tmp_path / "a b"
    folder.mkdir()
    run(command("pwd", directory=str(folder)))
    assert (tmp_path / "out").read_text() == f"{folder}\n"


def test_command_inherits_no_file_and_has_ordinary_signals(command, tmp_path):
    program = "import os, signal; print(sorted(os.listdir('/proc/self/fd'))[:-1], open('/proc/self/status').read())"
    run(command(*python(program)))
    text = (tmp_path / "out").read_text()
    assert text.startswith("['0', '1', '2']")
    ignored = int(next(line for line in text.splitlines() if line.startswith("SigIgn")).split()[1], 16)
    by_python = {signal.SIGPIPE, signal.SIGXFSZ}  # of the probe itself
    # The signals from 32 to SIGRTMIN are the C library's own, and what it does with them is inherited by all.
    assert {number for number in range(1, 32) if ignored >> (number - 1) & 1} <= by_python


def test_secrets_do_not_show_in_the_process_list(command, tmp_path):
    """While it runs, nobody but the command itself has the prompt or the environment's values among its arguments."""
    program = (
        "import glob, os\n"
        "for path in glob.glob('/proc/[0-9]*/cmdline'):\n"
        "    try: text = open(path, 'rb').read()\n"
        "    except OSError: continue\n"
        "    if b'CANA' + b'RY' in text: print(path)\n"
    )
    result = run(command(*python(program), stdin=b"CANARY", environment={**PATH, "KEY": "CANARY"}))
    assert result.code == 0
    assert (tmp_path / "out").read_text() == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"argv": ("no-such-program",)}, ["no-such-program", "not found"]),
        ({"argv": ("./missing",)}, ["./missing", "not found"]),
        ({"argv": ("/etc/passwd",)}, ["/etc/passwd", "ermission denied"]),
        ({"argv": ("true",), "directory": "/no/such/folder"}, ["/no/such/folder", "No such file"]),
        ({"argv": ("true",), "stderr": Path("/no/such/folder/err")}, ["/no/such/folder/err"]),
        ({"argv": ("true", "a\0b")}, ["null"]),
        ({"argv": ("true", "\ud800")}, ["surrogates"]),
        ({"argv": ("true", "x" * 200_000)}, ["Argument list too long"]),
    ],
    ids=["name", "path", "permission", "directory", "output", "nul", "surrogate", "length"],
)
def test_what_cannot_start_says_why(command, change, words):
    result = run(command(**change) if "argv" not in change else replace(command(), **change))
    assert (result.reason, result.code, result.signal) == ("not_started", None, None)
    assert [word for word in words if word not in result.message] == []


def test_failure_to_start_is_recorded(command):
    result = run(command("no-such-program"))
    assert read_record(command().record) == result


def test_program_is_looked_up_in_the_commands_path(command, tmp_path):
    program = tmp_path / "own-program"
    program.write_text("#!/bin/sh\nexit 9\n")
    program.chmod(0o755)
    assert run(command("own-program", environment={"PATH": f"/nowhere:{tmp_path}"})).code == 9
    assert run(command("own-program")).reason == "not_started"


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (b"", []),
        (b"one\ntwo\n", [b"one", b"two"]),
        (b"one\nlast", [b"one", b"last"]),
        (b"\n\n", [b"", b""]),
        (b"dos\r\n", [b"dos\r"]),
        ("héllo ☃\n".encode(), ["héllo ☃".encode()]),
        (b"\xff\xfe\x00\xc3\n\xed\xa0\x80", [b"\xff\xfe\x00\xc3", b"\xed\xa0\x80"]),
    ],
)
def test_lines_are_the_outputs_bytes(command, output, expected):
    lines, result = lines_of(command("cat", stdin=output))
    assert (lines, result.code) == (expected, 0)


def test_lines_of_every_length_around_a_chunk_stay_whole(command):
    """Lines that end just before, at and after the edges of what is read at a time."""
    expected = [bytes([65 + index % 26]) * (2**18 + index - 3) for index in range(8)] + [b"x"] * 70_000
    lines, _ = lines_of(command("cat", stdin=b"\n".join(expected) + b"\n"))
    assert lines == expected


@pytest.mark.slow
def test_huge_lines_take_linear_time(command):
    def seconds(size: int) -> float:
        start = time.perf_counter()
        lines, _ = lines_of(command("sh", "-c", f"head -c {size} /dev/zero | tr '\\0' x; echo; echo end"))
        assert [len(line) for line in lines] == [size, 3]
        return time.perf_counter() - start

    small, large = seconds(5_000_000), seconds(50_000_000)
    assert large < 10 * small + 2  # quadratic would be a hundredfold


def test_line_arrives_while_the_command_runs(command, tmp_path):
    """The command goes on only after it has seen that its line was received."""
    program = "echo asked; while [ ! -e answer ]; do sleep 0.01; done; echo answered"
    seen: list[bytes] = []

    def on_line(line: bytes) -> None:
        seen.append(line)
        (tmp_path / "answer").touch()

    result = run(command("sh", "-c", program), on_line=on_line, stop=after(10))
    assert (seen, result.reason) == ([b"asked", b"answered"], "exited")


def test_output_emptied_by_the_command_is_read_from_its_new_beginning(command):
    program = "echo a long first line; sleep 0.2; echo new > /dev/stdout; sleep 0.2; echo newer"
    lines, _ = lines_of(command("sh", "-c", program))
    assert lines == [b"a long first line", b"new", b"newer"]


def test_both_outputs_may_share_a_file(command, tmp_path):
    both = tmp_path / "both"
    run(command("sh", "-c", "echo 1; echo 2 >&2; echo 3", stdout=both, stderr=both))
    assert both.read_text() == "1\n2\n3\n"


def test_earlier_output_and_record_do_not_pass_for_this_ones(command, tmp_path):
    run(command("sh", "-c", "echo old; exit 5"))
    lines, result = lines_of(command("sh", "-c", "test ! -e record"))
    assert (lines, result.code) == ([], 0)


def after(seconds: float) -> Callable[[], bool]:
    due = time.monotonic() + seconds
    return lambda: time.monotonic() >= due


def test_stop_while_it_is_silent(command):
    start = time.monotonic()
    result = run(command("sleep", "60"), stop=after(0.1))
    assert time.monotonic() - start < PROMPT_END
    assert (result.reason, result.code, result.signal) == ("stopped", None, signal.SIGTERM)
    assert read_record(command().record) == result


def test_stop_is_asked_often_and_not_again_once_it_said_so(command):
    times: list[float] = []

    def stop() -> bool:
        times.append(time.monotonic())
        return len(times) == 10

    assert run(command("sleep", "60"), stop=stop).reason == "stopped"
    gaps = sorted(later - earlier for earlier, later in itertools.pairwise(times))
    assert len(times) == 10
    assert gaps[len(gaps) // 2] <= 0.05


def test_stop_is_asked_in_a_flood_of_lines(command):
    count = 0

    def on_line(_: bytes) -> None:
        nonlocal count
        count += 1

    result = run(command("yes", max_output=2**40), on_line=on_line, stop=lambda: count > 1000)
    assert result.reason == "stopped"


def test_stop_is_asked_between_lines_that_came_at_once(command):
    lines: list[bytes] = []

    def on_line(line: bytes) -> None:
        lines.append(line)
        time.sleep(0.01)

    def stop() -> bool:
        if lines and not asked_at:
            asked_at.append(len(lines))
        return bool(lines)

    asked_at: list[int] = []
    run(command("sh", "-c", "seq 100; exec sleep 60"), on_line=on_line, stop=stop)
    assert asked_at[0] < 50
    assert len(lines) == 100


def test_lines_go_on_while_it_is_being_stopped(command):
    program = "trap 'echo bye; exit 4' TERM; echo up; while :; do sleep 0.01; done"
    lines: list[bytes] = []
    result = run(command("sh", "-c", program), on_line=lines.append, stop=lambda: lines == [b"up"])
    assert (lines, result.reason, result.code) == ([b"up", b"bye"], "stopped", 4)


def test_child_that_ignores_sigterm_is_killed_after_the_grace(command):
    program = "trap '' TERM; echo up; while :; do sleep 0.01; done"
    lines: list[bytes] = []
    start = time.monotonic()
    result = run(command("sh", "-c", program), on_line=lines.append, stop=lambda: bool(lines), grace=0.3)
    assert (result.reason, result.signal) == ("stopped", signal.SIGKILL)
    assert 0.3 <= time.monotonic() - start < PROMPT_END


def test_child_that_stopped_itself_can_still_clean_up(command):
    program = "trap 'echo cleaned; exit 0' TERM; echo up; kill -STOP $$; sleep 60"
    lines: list[bytes] = []
    result = run(command("sh", "-c", program), on_line=lines.append, stop=lambda: bool(lines))
    assert (result.reason, lines) == ("stopped", [b"up", b"cleaned"])


def test_command_that_stops_its_guard_is_still_stopped(command):
    program = "kill -STOP $PPID; echo up; sleep 60"
    lines: list[bytes] = []
    start = time.monotonic()
    result = run(command("sh", "-c", program), on_line=lines.append, stop=lambda: bool(lines))
    assert result.reason == "stopped"
    assert time.monotonic() - start < PROMPT_END


def test_background_process_that_holds_the_output_delays_nothing(command):
    start = time.monotonic()
    lines, result = lines_of(command("sh", "-c", "sleep 60 & echo done"))
    assert (lines, result.reason, result.code) == ([b"done"], "exited", 0)
    assert time.monotonic() - start < PROMPT_END


@pytest.mark.parametrize("program", ["yes", "yes >&2", "head -c 9000000 /dev/zero"], ids=["stdout", "stderr", "burst"])
def test_flood_is_ended_and_cut(command, tmp_path, program):
    lines, result = lines_of(command("sh", "-c", program, max_output=1 << 20))
    assert result.reason == "flooded"
    assert "1048576" in result.message
    assert max((tmp_path / name).stat().st_size for name in ("out", "err")) == 1 << 20
    assert set(lines) <= {b"y"}  # and not the part of a line that the cut left


def test_output_at_the_limit_is_no_flood(command):
    assert run(command("head", "-c", "4096", "/dev/zero", max_output=4096)).reason == "exited"


@pytest.mark.parametrize("where", ["line", "stop"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_exception_ends_the_command_before_it_propagates(command, tmp_path, where, error):
    def fail(*_: object) -> bool:
        raise error

    options = {"on_line": fail} if where == "line" else {"stop": fail}
    with pytest.raises(error):
        run(command("sh", "-c", "echo up; exec sleep 60"), **options)
    record = read_record(tmp_path / "record")
    assert record is not None
    assert record.reason == "stopped"


def test_runs_in_parallel_threads_do_not_wait_for_each_other(command, tmp_path):
    results: list[Exit] = []

    def one(index: int) -> None:
        files = {name: tmp_path / f"{name}{index}" for name in ("stdout", "stderr", "record")}
        results.append(run(command("sh", "-c", f"sleep 0.2; exit {index}", **files)))

    threads = [threading.Thread(target=one, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.code for result in results) == list(range(6))


def test_record_that_cannot_be_written_does_not_hide_the_exit(command, tmp_path):
    result = run(command("sh", "-c", "exit 6", record=tmp_path / "missing" / "record"))
    assert (result.reason, result.code) == ("exited", 6)
    assert "exit record" in result.message


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"version": 2, "code": 0, "signal": null, "reason": "exited", "started": 1, "ended": 2, "message": ""}',
        b'{"version": 1, "code": "0", "signal": null, "reason": "exited", "started": 1, "ended": 2, "message": ""}',
        b'{"version": 1, "code": 0, "signal": null, "reason": "other", "started": 1, "ended": 2, "message": ""}',
        b'{"version": 1, "code": 0, "signal": null, "reason": "exited", "started": "1", "ended": 2, "message": ""}',
        b'{"version": 1, "code": 0, "signal": null, "reason": ["x"], "started": 1, "ended": 2, "message": ""}',
    ],
)
def test_record_that_is_not_understood_is_none(tmp_path, text):
    (tmp_path / "record").write_bytes(text)
    assert read_record(tmp_path / "record") is None


def test_every_truncation_of_a_record_is_none(command, tmp_path):
    run(command('no such\nprogram "é" \\'))
    whole = (tmp_path / "record").read_bytes()
    assert 'no such\nprogram "é" \\' in read_record(tmp_path / "record").message
    for size in range(len(whole) - 1):
        (tmp_path / "torn").write_bytes(whole[:size])
        assert read_record(tmp_path / "torn") is None


def test_missing_record_is_none(tmp_path):
    assert read_record(tmp_path / "record") is None
