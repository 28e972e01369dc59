"""docs/diagnostics.md, made from the pages of the codes: each with its example, and what `check` really says of it.

Run as a program (`make update-golden` does), this module writes the page; a test compares it with what is there.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gumpc.cli.checking import DEFAULTS, check_paths
from gumpc.code_pages import Page, read_pages
from gumpc.codes import CODES
from tests.arch.imports import ROOT

PAGE = ROOT / "docs" / "diagnostics.md"

FAMILIES = {
    "G0": "Text and YAML",
    "G1": "Shape",
    "G2": "Templates",
    "G3": "Names",
    "G4": "Flow",
    "G5": "Agents, gates and files of this repository",
    "G6": "Safety",
}

OPENING = """\
# Diagnostics

<!-- Made by `make update-golden` from gumpc/code_pages.toml; the outputs are real. -->

Everything that `gumpc check` can say. `gumpc check --explain G301` shows one of these entries in a terminal.

| option | does |
|---|---|
| `--select CODES`, `--ignore CODES` | only these, or all but these: codes or their beginnings, such as `G301,G4` |
| `--fix` | applies the fixes that need no thought, and tells what remains; with `-`, the text goes to standard output |
| `--fix --diff` | shows the changes as a difference and writes nothing |
| `--strict` | warnings fail the check too |
| `--format FORMAT` | `text`, `json`, or what a CI service reads: `github`, `gitlab`, `sarif`, `junit` |

A fix changes the characters that are wrong, so comments and layout stay. Only files that were named are written, and
files of this project that those call. The exit code is 1 when an error is told (with `--strict`, a warning), 0 when
none is, 2 when nothing could be checked; it is the same in every format.

## Silencing one place

A comment silences a code on its line, or, alone on a line, on the next one:

```yaml
    prompt: "Implement {spec} in {language}"  # gumpc: ignore[G310]
    # gumpc: ignore[G403, G402]
    - attempt: 2
```

Where a text of several lines begins, it reaches all of the text; inside of the text it would be part of it. An error
that is silenced is silent in `check` only: the workflow still cannot be planned or run, and those commands say why. A
comment that silences nothing is told (G011).

## In CI

| service | use |
|---|---|
| GitHub | `gumpc check --format github` in a step of a job; `--format sarif` for code scanning |
| GitLab | `gumpc check --format gitlab > gl-code-quality-report.json`, named under `artifacts: reports: codequality` |
| others | `gumpc check --format junit > check.xml` |

The forms for services name files from the root of the repository. GitLab's and SARIF's fingerprints of a fault do not
change when it moves to another line.
"""


def said_of(page: Page) -> str:
    """What `gumpc check` prints of a page's example, in a folder that holds it."""
    with tempfile.TemporaryDirectory() as name, _home(Path(name)):
        folder = Path(name) / "project"
        for path, text in page.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, page.encoding)
        if len(page.files) > 1:
            (folder / ".git").mkdir()
        printed = io.StringIO()
        with contextlib.chdir(folder), contextlib.redirect_stdout(printed):
            check_paths((next(iter(page.files)),), DEFAULTS)
        return printed.getvalue()


@contextlib.contextmanager
def _home(folder: Path) -> Iterator[None]:
    """A home without configuration, and no configuration from the environment."""
    kept = dict(os.environ)
    for name in [name for name in kept if name.startswith("GUMP_")]:
        del os.environ[name]
    os.environ["HOME"] = str(folder)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


def make_page() -> str:
    """The whole text of docs/diagnostics.md."""
    pages = read_pages()
    parts = [OPENING, *_list(pages)]
    for family, title in FAMILIES.items():
        parts.append(f"## {family}xx: {title}\n")
        parts += [_section(page) for code, page in sorted(pages.items()) if code.startswith(family)]
    return "\n".join(parts)


def _list(pages: dict[str, Page]) -> list[str]:
    rows = [f"| [{c}](#{c.lower()}) | {CODES[c].severity} | {CODES[c].title} |" for c in sorted(pages)]
    return ["## All codes\n", "| code | | |", "|---|---|---|", *rows, ""]


def _section(page: Page) -> str:
    known = CODES[page.code]
    parts = [f"### {page.code}\n", f"*{known.severity}: {known.title}*\n", f"{page.why}\n"]
    for path, text in page.files.items():
        name = f"`{path}`:\n\n" if len(page.files) > 1 else ""
        language = "yaml" if path.endswith(".yaml") else "text"
        parts.append(f"{name}```{language}\n{text.strip(chr(10))}\n```\n")
    parts += [
        f"```console\n$ gumpc check {next(iter(page.files))}\n{said_of(page).rstrip()}\n```\n",
        f"{page.remedy}\n",
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(make_page(), "utf-8")
