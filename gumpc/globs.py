"""Makes a test of paths out of globs; one dialect for gates, `inputs` and a task's `files`.

A glob without `/` matches a base name at any depth; with `/` it matches the whole path from the root. `*`, `?` and
`[...]` stay inside one name, `**` stands for any number of folders. A glob that ends in `/`, or whose last name has no
wildcard, also matches everything below a folder of that name: `src/auth` covers `src/auth/token.py`.

`fnmatch` was not enough (its `*` crosses `/`), and `pathlib` differs between Python versions. Every glob becomes one
regular expression whose wildcards are atomic, so that no glob needs more than quadratic time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

_WILDCARD = re.compile(r"[*?\[]")
_MEMBER = re.compile(r"(.)-(.)|.", re.DOTALL)
_CLASS = re.compile(r"\[[!^]?+\]?+[^\]]*\]")


def check_glob(glob: str) -> str | None:
    """Why `glob` can't be used, as the end of the sentence "the glob …"; None when it can."""
    if not glob or glob.isspace():
        return "is empty"
    if glob.startswith("/"):
        return "starts with `/`: paths start at the root of the repository, without one"
    if "\\" in glob:
        return "has a backslash: folders are separated by `/`, and a wildcard is matched as itself in brackets (`[*]`)"
    if "{" in glob or "}" in glob:
        return "has braces, which have no meaning here: write one glob for each alternative"
    if any(ord(character) < 32 for character in glob):
        return "has a control character"
    return _check_names(glob.removesuffix("/").split("/"))


def _check_names(names: list[str]) -> str | None:
    for name in names:
        if not name:
            return "has an empty name between two `/`"
        if name in {".", ".."}:
            return f"has `{name}`: paths start at the root of the repository and never leave it"
        if "**" in name and name != "**":
            return "has `**` beside other characters: it stands alone between two `/`"
        if fault := _check_classes(name):
            return fault
    return None


def _check_classes(name: str) -> str | None:
    if "[" in _CLASS.sub("", name):
        return "has a `[` without its `]`"
    try:
        re.compile(_name(name))
    except re.error:
        return "has a range in `[...]` that runs backwards"
    return None


def compile_globs(globs: Iterable[str]) -> Callable[[str], bool]:
    """A test that is true for a path (from the root, separated by `/`) which matches any of `globs`.

    Raises:
        ValueError: a glob that `check_glob` finds fault with.
    """
    return _compiled(tuple(globs))


def matches(path: str, globs: Iterable[str]) -> bool:
    """Whether `path` matches any of `globs`; see `compile_globs`."""
    return _compiled(tuple(globs))(path)


@lru_cache(maxsize=256)
def _compiled(globs: tuple[str, ...]) -> Callable[[str], bool]:
    for glob in globs:
        if fault := check_glob(glob):
            raise ValueError(f"the glob `{glob}` {fault}")
    if not globs:
        return lambda _path: False
    pattern = re.compile("|".join(f"(?:{_pattern(glob)})" for glob in globs), re.DOTALL)
    return lambda path: pattern.fullmatch(path) is not None


def _pattern(glob: str) -> str:
    names = glob.removesuffix("/").split("/")
    last = names[-1]
    if "/" not in glob and last != "**":
        names.insert(0, "**")
    if glob.endswith("/"):
        return f"{_folders(names)}/.+"
    below = "" if _WILDCARD.search(last) else "(?:/.*)?"
    return _folders(names) + below


def _folders(names: list[str]) -> str:
    """The pattern of names joined by `/`, where `**` is any number of folders, or at the end whatever is below."""
    groups: list[list[str]] = [[]]
    for name in names:
        if name == "**":
            groups.append([])
        else:
            groups[-1].append(_name(name))
    first, *rest = groups
    if not rest:
        return "/".join(first)
    middle = "".join(f"(?>(?:[^/]+/)*?{'/'.join(group)}/)" for group in rest[:-1] if group)
    end = "(?:[^/]+/)*" + "/".join(rest[-1]) if rest[-1] else ".+"
    return "".join(f"{name}/" for name in first) + middle + end


def _name(name: str) -> str:
    """The pattern of one name. The shortest match of all but the last `*` is as good as any other."""
    pieces = [_piece(piece) for piece in re.split(r"\*+", _CLASS.sub(_hide_stars, name))]
    if len(pieces) == 1:
        return pieces[0]
    # A bare `*` stands for a name, which has at least one character.
    start = "(?!/)(?=.)" if name.strip("*") == "" else ""
    middle = "".join(f"(?>[^/]*?{piece})" for piece in pieces[1:-1])
    return f"{start}{pieces[0]}{middle}[^/]*{pieces[-1]}"


def _hide_stars(found: re.Match[str]) -> str:
    return found[0].replace("*", "\0")


def _piece(piece: str) -> str:
    """The pattern of a part without `*` (those inside brackets are hidden as NUL)."""
    pattern, end = "", 0
    for found in re.finditer(rf"{_CLASS.pattern}|\?", piece):
        pattern += re.escape(piece[end : found.start()]) + _one_character(found[0])
        end = found.end()
    return pattern + re.escape(piece[end:])


def _one_character(wildcard: str) -> str:
    if wildcard == "?":
        return "[^/]"
    inner = wildcard[1:-1].replace("\0", "*")
    negated, inner = inner[0] in "!^", inner[1:] if inner[0] in "!^" else inner
    escaped = _MEMBER.sub(_member, inner)
    return f"(?!/)[{'^' if negated else ''}{escaped}]"


def _member(found: re.Match[str]) -> str:
    """One character of a class, or a range; every other meaning that `re` might see in it is escaped."""
    return f"{re.escape(found[1])}-{re.escape(found[2])}" if found[1] else re.escape(found[0])
