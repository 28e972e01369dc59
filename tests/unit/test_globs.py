"""The glob dialect: what each form matches, what is refused and why, and that no glob is slow."""

from __future__ import annotations

import fnmatch
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gumpc.globs import check_glob, compile_globs, matches


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("*.py", "a.py"),
        ("*.py", "deep/down/a.py"),
        ("README", "docs/README"),
        ("src/*", "src/a.py"),
        ("src/**", "src/a/b.py"),
        ("src/**/b.py", "src/b.py"),
        ("src/**/b.py", "src/x/y/b.py"),
        ("**/b.py", "b.py"),
        ("**/x/**/b.py", "q/x/b.py"),
        ("**", "any/thing"),
        ("**/*", "any"),
        ("src/auth/", "src/auth/token.py"),
        ("src/auth", "src/auth/deep/token.py"),
        ("src/auth", "src/auth"),
        ("docs", "docs/a.md"),
        ("a?c", "abc"),
        ("[ab]c", "bc"),
        ("[!ab]c", "dc"),
        ("[^ab]c", "dc"),
        ("[]]c", "]c"),
        ("[*]", "*"),
        ("[a-c]*", "cat"),
        ("*", "with\nnewline"),
        ("file[[]1].txt", "file[1].txt"),
        ("./x".removeprefix("./"), "x"),
        ("*.tar.*", "x/a.tar.gz"),
        ("é*", "été"),
    ],
)
def test_matches(glob: str, path: str) -> None:
    assert check_glob(glob) is None
    assert matches(path, (glob,))


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("*.py", "a.pyc"),
        ("src/*", "src/a/b.py"),
        ("src/*", "other/src/a.py"),
        ("src/**", "src"),
        ("src/", "src"),
        ("src/", "other/src/a"),
        ("src/auth", "src/author.py"),
        ("a?c", "a/c"),
        ("a[!b]c", "a/c"),
        ("*.PY", "a.py"),
        ("a.c", "abc"),
        ("**/x/**/b.py", "q/b.py"),
        ("[!ab]c", "ac"),
    ],
)
def test_does_not_match(glob: str, path: str) -> None:
    assert not matches(path, (glob,))


def test_any_glob_of_several_is_enough() -> None:
    test = compile_globs(["*.md", "src/**"])
    assert [test(path) for path in ("a.md", "src/x", "lib/x")] == [True, True, False]
    assert not matches("a", ())


@pytest.mark.parametrize(
    ("glob", "word"),
    [
        ("", "empty"),
        ("/src", "starts with"),
        ("../x", "`..`"),
        ("./x", "`.`"),
        ("a//b", "empty name"),
        ("a**b", "alone"),
        ("[ab", "without its"),
        ("[z-a]", "backwards"),
        ("a\\b", "backslash"),
        ("*.{ts,js}", "braces"),
        ("a\nb", "control"),
    ],
)
def test_bad_globs_say_why(glob: str, word: str) -> None:
    fault = check_glob(glob)
    assert fault is not None
    assert word in fault
    with pytest.raises(ValueError, match="the glob"):
        matches("x", (glob,))


@example("[?--]", "]").via("a range that `re` warns of")
@example("[a--]", "-").via("a range that ends in the hyphen")
@given(st.text("ab*?[]!^-.", min_size=1, max_size=8), st.text("ab-.!]", min_size=1, max_size=6))
def test_inside_one_name_it_agrees_with_fnmatch(glob: str, name: str) -> None:
    if check_glob(glob) is None and "**" not in glob:
        assert matches(name, (glob,)) == fnmatch.fnmatchcase(name, glob.replace("[^", "[!"))


@given(st.text(max_size=12))
def test_a_glob_is_refused_or_works(glob: str) -> None:
    if check_glob(glob) is None:
        matches("a/b", (glob,))


def test_no_glob_is_slow() -> None:
    started = time.monotonic()
    assert not matches("a" * 4000, ("*a" * 30 + "b",))
    assert not matches("a/" * 1000 + "a", ("**/a/" * 20 + "b",))
    assert time.monotonic() - started < 10
