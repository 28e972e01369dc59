"""`gumpc check` as people and CI use it: what is fixed where, what is chosen, and that all formats say the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

FAULTY = """\
name: ship  # what it is
steps:
  - name: red
    type: code
    # who does it
    agnt: claude-haiku   # a small one
    prompt: {spec}
    gates: tests_found

"""
FIXED = (
    FAULTY.replace("agnt", "agent").replace("{spec}", '"{spec}"').replace("gates: tests_found", "gate: [tests_found]")
)
MIXED = """\
name: mixed
max_budget: -1
steps:
  - name: red
    type: artifact
    agent: claude-haiku
    prompt: |
      Try {attempt} of
      {nowhere.output}, and {nowhere.output}
  - name: green
    type: artifact
    agent: claude-haiku
    prompt: "{red.output} & <{sepc}>"
"""
STEP = "  - name: one\n    type: artifact\n    agent: claude-haiku\n    prompt: x\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder that counts as a repository, with a home beside it."""
    (tmp_path / "home").mkdir()
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "repo" / "ship.yaml").write_text(FAULTY)
    (tmp_path / "repo" / "mixed.yaml").write_text(MIXED)
    return tmp_path / "repo"


def check(folder: Path, *words: str, code: int | None = None, stdin: bytes = b"") -> tuple[str, str]:
    """Standard output and standard error of `gumpc check`."""
    home = next(p / "home" for p in folder.parents if (p / "home").is_dir())
    done = subprocess.run(
        [sys.executable, "-m", "gumpc", "check", *words],
        cwd=folder,
        env={**os.environ, "HOME": str(home), "NO_COLOR": "1"},
        input=stdin,
        capture_output=True,
        check=False,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in err, err
    assert code in (None, done.returncode), f"exit {done.returncode}\n{out}\n{err}"
    return out, err


def test_fixes_are_applied_and_keep_comments_and_layout(repository: Path):
    file = repository / "ship.yaml"
    file.chmod(0o640)
    out, err = check(repository, "ship.yaml", "--fix", code=0)
    assert (out, err) == ("no faults in 1 workflow\n", "fixed 4 faults in ship.yaml\n")
    assert file.read_text() == FIXED
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in repository.iterdir()) == [".git", "mixed.yaml", "ship.yaml"]
    before = file.stat()
    assert check(repository, "ship.yaml", "--fix", code=0) == ("no faults in 1 workflow\n", "")
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_no_machine_can_fix_remains(repository: Path):
    (repository / "ship.yaml").write_text(FAULTY.replace("{spec}", "'{nowhere.output}'"))
    out, err = check(repository, "ship.yaml", "--fix", code=1)
    assert "error[G302]" in out
    assert "G102" not in out
    assert err == "fixed 3 faults in ship.yaml\n"


def test_line_ends_and_a_byte_order_mark_stay(repository: Path):
    raw = b"\xef\xbb\xbf" + FAULTY.replace("\n", "\r\n").encode()
    (repository / "ship.yaml").write_bytes(raw)
    check(repository, "ship.yaml", "--fix", code=0)
    assert (repository / "ship.yaml").read_bytes() == b"\xef\xbb\xbf" + FIXED.replace("\n", "\r\n").encode()


def test_standard_input_is_fixed_to_standard_output(repository: Path):
    out, err = check(repository, "--fix", "--stdin-filename", "ship.yaml", "-", code=0, stdin=FAULTY.encode())
    assert out == FIXED
    assert err == "fixed 4 faults in ship.yaml\nno faults in 1 workflow\n"
    assert (repository / "ship.yaml").read_text() == FAULTY


def test_a_preview_is_a_difference_that_git_applies_and_writes_nothing(repository: Path):
    text = FAULTY.rstrip("\n")
    (repository / "ship.yaml").write_text(text)
    out, err = check(repository, "ship.yaml", "--fix", "--diff", code=1)
    assert err.startswith("would fix 4 faults in ship.yaml\n")
    assert (repository / "ship.yaml").read_text() == text
    subprocess.run(["git", "apply", "-"], cwd=repository, input=out.encode(), check=True)
    assert (repository / "ship.yaml").read_text() == FIXED.rstrip("\n")


def test_only_what_was_chosen_is_fixed(repository: Path):
    _, err = check(repository, "ship.yaml", "--fix", "--select", "G010", code=0)
    assert err == "fixed 1 fault in ship.yaml\n"
    assert (repository / "ship.yaml").read_text() == FAULTY.replace("{spec}", '"{spec}"')


def test_called_files_are_fixed_inside_of_the_project_only(repository: Path):
    outside = repository.parent / "home/.gump/workflows/mine.yaml"
    inside = repository / "steps" / "own.yaml"
    for path in (outside, inside):
        path.parent.mkdir(parents=True)
        path.write_text(f"name: called\nsteps:\n{STEP}".replace("agent:", "agnt:"))
    calls = ("name: a, workflow: mine", "name: b, workflow: steps/own.yaml", "name: c, workflow: tdd, with: {spec: s}")
    (repository / "ship.yaml").write_text("name: ship\nsteps:\n" + "".join(f"  - {{{call}}}\n" for call in calls))
    _, err = check(repository, "ship.yaml", "--fix", code=1)
    assert err == "fixed 1 fault in steps/own.yaml\n"
    assert "agent:" in inside.read_text()
    assert "agnt:" in outside.read_text()


def test_a_file_that_cannot_be_written_is_said_and_left(repository: Path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (repository / "ship.yaml").chmod(0o444)
    repository.chmod(0o555)
    try:
        _, err = check(repository, "ship.yaml", "--fix", code=2)
    finally:
        repository.chmod(0o755)
    assert "ship.yaml cannot be written" in err
    assert (repository / "ship.yaml").read_text() == FAULTY


def test_a_link_stays_a_link(repository: Path):
    (repository / "link.yaml").symlink_to("ship.yaml")
    check(repository, "link.yaml", "--fix", code=0)
    assert (repository / "link.yaml").is_symlink()
    assert (repository / "ship.yaml").read_text() == FIXED


@pytest.mark.parametrize(
    ("words", "codes", "code"),
    [
        ((), {"G106", "G302", "G313"}, 1),
        (("--select", "G3"), {"G302", "G313"}, 1),
        (("--select", "g313"), {"G313"}, 0),
        (("--select", "G313", "--strict"), {"G313"}, 1),
        (("--ignore", "G302", "--ignore", "G106"), {"G313"}, 0),
        (("--select", "G3", "--ignore", "G302,G313", "--strict"), set(), 0),
    ],
)
def test_codes_are_chosen_and_the_exit_code_is_of_what_is_told(
    repository: Path, words: tuple[str, ...], codes: set[str], code: int
):
    for style in ("json", "sarif", "junit", "gitlab", "github", "text"):
        out, _ = check(repository, "mixed.yaml", *words, "--format", style, code=code)
        if style == "json":
            assert {d["code"] for d in json.loads(out)["diagnostics"]} == codes


@pytest.mark.parametrize("option", ["--select", "--ignore"])
def test_a_code_that_there_is_not_is_refused(repository: Path, option: str):
    _, err = check(repository, "mixed.yaml", option, "G3012", code=2)
    assert "`G3012` begins no code. Did you mean `G301`?" in err


def test_options_that_mean_nothing_alone_are_refused(repository: Path):
    assert "--fix" in check(repository, "--diff", code=2)[1]


@pytest.mark.parametrize("code", ["G301", "g301"])
def test_a_code_is_explained(repository: Path, code: str):
    out, err = check(repository, "--explain", code, code=0)
    assert out.startswith("error[G301]: a name is ambiguous\n\n")
    assert "\n    name: ship\n" in out
    assert "\nWhat to do: " in out
    assert err == ""


def test_a_code_that_cannot_be_explained_comes_with_the_nearest(repository: Path):
    out, err = check(repository, "--explain", "G3O1", code=2)
    assert out == ""
    assert "there is no code `G3O1`" in err
    assert "did you mean `G301`?" in err


def test_an_ignored_error_is_told_when_the_workflow_is_to_run(repository: Path):
    line = "prompt: '{nowhere.output}'  # gumpc: ignore[G302]"
    (repository / "ship.yaml").write_text(f"name: ship\nsteps:\n{STEP}".replace("prompt: x", line))
    assert check(repository, "ship.yaml", code=0) == ("no faults in 1 workflow\n", "")
    (repository / ".git").rmdir()
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.org")
    subprocess.run(["git", "init", "-q"], cwd=repository, check=True)
    subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "start"], cwd=repository, check=True)
    done = subprocess.run(
        [sys.executable, "-m", "gumpc", "plan", "ship.yaml"],
        cwd=repository,
        env={**os.environ, "HOME": str(repository.parent / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "error[G302]" in done.stderr


Seen = list[tuple[str, str, int]]


def seen_in(style: str, text: str) -> Seen:
    """Every `(code, file, line)` that a format tells."""
    read: Any = json.loads(text) if style in ("json", "gitlab", "sarif") else None
    match style:
        case "json":
            return [(d["code"], d["file"], d["line"]) for d in read["diagnostics"]]
        case "gitlab":
            return [(d["check_name"], d["location"]["path"], d["location"]["lines"]["begin"]) for d in read]
        case "sarif":
            places = [(r["ruleId"], r["locations"][0]["physicalLocation"]) for r in read["runs"][0]["results"]]
            return [(c, p["artifactLocation"]["uri"], p["region"]["startLine"]) for c, p in places]
        case "junit":
            cases = [c for c in ElementTree.fromstring(text).iter("testcase") if "line" in c.attrib]
            return [(c.attrib["name"][:4], c.attrib["file"], int(c.attrib["line"])) for c in cases]
        case _:
            return [seen_in_annotation(line) for line in text.splitlines()]


def seen_in_annotation(line: str) -> tuple[str, str, int]:
    _, head, _ = line.split("::", 2)
    properties = dict(part.split("=", 1) for part in head.split(" ", 1)[1].split(","))
    return properties["title"][:4], properties["file"], int(properties["line"])


def test_every_format_tells_the_same_places(repository: Path):
    outputs = {
        style: check(repository, "mixed.yaml", "ship.yaml", "--format", style, code=1)[0]
        for style in ("json", "gitlab", "sarif", "junit", "github")
    }
    seen = {style: seen_in(style, text) for style, text in outputs.items()}
    assert len(seen["json"]) >= 8
    assert all(places == seen["json"] for places in seen.values())


@pytest.mark.parametrize("style", ["gitlab", "sarif", "junit", "github"])
def test_services_get_paths_from_the_root_of_the_repository(repository: Path, style: str):
    folder = repository / "sub folder" / "deep"
    folder.mkdir(parents=True)
    (folder / "a.yaml").write_text("name: a\nsteps: 1\n")
    name = "sub%20folder/deep/a.yaml" if style == "sarif" else "sub folder/deep/a.yaml"
    assert seen_in(style, check(folder, "a.yaml", "--format", style, code=1)[0]) == [("G103", name, 2)]
    assert seen_in("json", check(folder, "a.yaml", "--format", "json", code=1)[0]) == [("G103", "a.yaml", 2)]


@pytest.mark.parametrize("style", ["gitlab", "sarif", "junit", "github"])
def test_a_sound_file_is_told_in_every_format(repository: Path, style: str):
    (repository / "ok.yaml").write_text(f"name: ok\nsteps:\n{STEP}")
    assert seen_in(style, check(repository, "ok.yaml", "--format", style, code=0)[0]) == []
