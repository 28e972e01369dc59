"""References in shell commands: every accepted place hands its value on as one argument, in real shells."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gumpc.shell import compile_script, variable
from gumpc.template import parse_template

SHELLS = [shell for shell in ("sh", "bash", "dash") if shutil.which(shell)]
SHOW = "show() { for word; do printf '%s\\0' \"$word\"; done; }; "
# Each shows the reference alone as one word, whatever its value is.
ALONE = [
    "show {x}",
    'show "{x}"',
    "show {x} # what follows is no argument",
    "show \\\n  {x}",
    "if true; then show {x}; fi",
    'for word in {x}; do show "$word"; done',
    "case {x} in *) show {x};; esac",
    'value={x}; show "$value"',
    'value={x} && show "$value" || exit 9',
    'export VALUE={x}; show "$VALUE"',
    "( show {x} )",
    "{ show {x}; }",
    'set -- {x}; show "$1"',
    "echo it\\'s > /dev/null; show {x}",
    "echo 'single' \"double $HOME\" `echo back` > /dev/null; show {x}",
    "echo $((1 + 2)) ${HOME:-none} > /dev/null; show {x}",
    "[ -n {x} ] || [ -z {x} ]; show {x}",
    "true && ! false; show {x} 2>&1",
    'env VALUE={x} sh -c \'printf "%s\\0" "$VALUE"\'',
    'sh -c \'printf "%s\\0" "$1"\' name {x}',
    "timeout 10 printf '%s\\0' {x}",
    "printf '%s\\0' {x} | cat",
]
WITH_DOT = [  # a command substitution drops final line ends, so a dot guards them
    'show "$(printf %s. {x})"',
    'show "$(printf %s. "{x}")"',
    'show "$(printf %s "$(printf %s. {x})")"',
]
AROUND = [
    ("show a{x}b", "a", "b"),
    ('show "a {x} b"', "a ", " b"),
    ("show 'a'{x}\"b\"", "a", "b"),
    ("show a#{x}", "a#", ""),
]

REFUSED = {
    "single quotes": ["echo '{x}'", "sh -c 'echo {x}'", "echo a'b {x}'"],
    "a comment": ["# {x}", "echo a # {x}", "echo a;# {x}"],
    "a here-document": ["cat <<EOF\n{x}\nEOF", "cat <<-'EOF'\n{x}\nEOF", "cat <<EOF; echo {x}\nEOF"],
    "an escape": ["echo \\{x}", 'echo "\\{x}"'],
    "backquotes": ["echo `echo {x}`", 'echo "`echo {x}`"', 'echo `echo "{x}"`'],
    "`${…}`": ["echo ${HOME:-{x}}", 'echo "${HOME:-{x}}"', 'echo ${HOME#"{x}"}'],
    "arithmetic, which bash may carry out as code": [
        "echo $(({x}))",
        "(( {x} ))",
        "echo $[ {x} ]",
        'echo $((1 + "{x}"))',
    ],
    "an array": ["a=(1 {x})", "a=([{x}]=1)"],
    "the place after a `$`": ["echo ${x.y}", 'echo "${x.y}"'],
    "the place of a command's name": [
        "{x}",
        "{x} --help",
        "true && {x}",
        "true | {x}",
        "if {x}; then true; fi",
        "! {x}",
        "A=1 {x}",
        "env A=1 {x}",
        "timeout 5 {x}",
        "exec {x}",
        "$(echo {x}) a",
        "a[{x}]=1",
        "bin/{x}",
        '"{x}"',
    ],
    "an argument of `eval`, which is code": ["eval {x}", 'eval "echo {x}"', 'eval "$(echo {x})"', "eval echo {x}"],
    "an argument of `.`, which is code": [". {x}"],
    "an argument of `trap`, which is code": ["trap {x} EXIT"],
    "an argument of `let`, which is code": ["let a={x}"],
    "the program that `sh` carries out": ["sh -c {x}", "/bin/sh -ec {x}", 'sh -c "echo {x}"', "env A=1 sh -c {x}"],
    "the program that `python3` carries out": ["python3 -c {x}"],
    "the program that `awk` carries out": ["awk {x} file"],
    "an argument of `unset`, which is a name and not a text": ["unset {x}"],
    "an argument of `export`, which is a name and not a text": ["export {x}", "export {x}=1"],
    "an argument of `for`, which is a name and not a text": ["for {x} in a; do true; done"],
    "an argument of `read`, which is a name and not a text": ["echo a | read {x}"],
    "the place of a variable's name": ["printf -v {x} a", "test -v {x}", "[ -v {x} ]"],
    "`[[ … ]]`, which may carry it out as code (`[ … ]` does not)": ["[[ {x} -eq 1 ]]", "[[ a && 1 -eq {x} ]]"],
    "a variable that the shell itself acts upon": ["PS4={x} sh -x", "BASH_ENV={x} bash -c true", "env PATH={x} ls"],
    "text after `$'`, whose end shells do not agree on": ["echo $'it\\'s' {x}"],
    "text after a `case` in parentheses": ["echo $(case a in a) echo {x};; esac)"],
}

HOSTILE = [
    "",
    " ",
    "\n",
    "a\n\nb\n",
    "\t a \t",
    "*",
    "?",
    "[a-z]*",
    "~",
    "~root",
    "-n",
    "--help",
    "-c",
    "$HOME",
    "${HOME}",
    "$(touch {mark})",
    "`touch {mark}`",
    "; touch {mark}",
    "&& touch {mark}",
    "| touch {mark}",
    "\n touch {mark} \n",
    "'; touch {mark}; '",
    '"; touch {mark}; "',
    "\\",
    "\\\\",
    "\\n",
    "a\\",
    "'",
    '"',
    "''",
    '""',
    "a[$(touch {mark})]",
    "a[$(touch {mark})]=1",
    "x=$(touch {mark})",
    "$((a[$(touch {mark})]))",
    "<(touch {mark})",
    ">{mark}",
    "#",
    "# a",
    "!!",
    "{a,b}",
    "{{}}",
    "{spec}",
    "${GUMPC_1}",
    "$GUMPC_2",
    "%s%n",
    "%d",
    "é漢🦊",
    "\u2028\u0085",
    "\x01\x02\x7f\x1b[31m",
    "\r\n",
    "EOF",
    "EOF\ntouch {mark}\n",
    "() { :; }; touch {mark}",
    "a" * 5000,
]


def run(shell: str, script: str, value: str, folder: Path) -> str:
    text, refused = compile_script(parse_template(script))
    assert refused == ()
    count = text.count("${GUMPC_")
    names = {variable(number): value for number in range(1, count + 1)}
    done = subprocess.run(
        [shell, "-c", SHOW + text], env={**os.environ, **names}, cwd=folder, capture_output=True, check=False
    )
    assert done.stderr == b""
    return done.stdout.decode("utf-8", "surrogateescape")


def hostile(folder: Path) -> list[str]:
    return [value.replace("{mark}", str(folder / "mark")) for value in HOSTILE]


@pytest.mark.slow
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("script", ALONE + WITH_DOT)
def test_a_value_stays_one_argument(shell: str, script: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    end = "." if script in WITH_DOT or "printf %s." in script else ""
    for value in hostile(tmp_path):
        assert run(shell, script, value, tmp_path) == value + end + "\0"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(("script", "before", "after"), AROUND)
def test_a_value_stays_part_of_its_word(script: str, before: str, after: str, tmp_path: Path) -> None:
    for value in hostile(tmp_path):
        assert run("sh", script, value, tmp_path) == f"{before}{value}{after}\0"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("place", "script"), [(place, script) for place in REFUSED for script in REFUSED[place]])
def test_where_a_value_would_not_be_text_it_is_refused(place: str, script: str) -> None:
    assert [refused.place for refused in compile_script(parse_template(script))[1]] == [place]


# Scripts put together from pieces that open, close and quote: most make no sense, and none may run a value.
PIECES = [
    "show ",
    "{x}",
    '"',
    "'",
    "$(",
    ")",
    "`",
    " ",
    "\n",
    ";",
    "\\",
    "#",
    "a",
    "=",
    "[",
    "]",
    "((",
    "))",
    "${",
    "}",
]
PIECES += [
    "eval ",
    "&& ",
    "| ",
    "<",
    "$",
    "case a in a) ",
    " esac",
    "if ",
    "then ",
    "fi",
    "{ ",
    "for i in ",
    "do ",
    "done",
]


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(pieces=st.lists(st.sampled_from(PIECES), min_size=1, max_size=12))
def test_no_accepted_script_carries_a_value_out(pieces: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    text, refused = compile_script(parse_template("".join(pieces)))
    if refused or "GUMPC_" not in text:
        return
    folder = tmp_path_factory.mktemp("script")
    value = f"a[$(touch {folder}/mark)]; touch {folder}/mark; $(touch {folder}/mark) '`touch {folder}/mark`' \"\n"
    names = {variable(number): value for number in range(1, len(pieces) + 1)}
    for shell in SHELLS:
        command = [shell, "-c", SHOW + text]
        subprocess.run(command, env={**os.environ, **names}, cwd=folder, capture_output=True, timeout=20, check=False)
    assert "mark" not in os.listdir(folder)
