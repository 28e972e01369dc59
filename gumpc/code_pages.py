"""The page of each diagnostic code: why it is a fault, an example that gives it, and what to do.

The texts are a table beside this file, `code_pages.toml`, because they are prose and workflows. Only `--explain` and
the generator of docs/diagnostics.md read it; a check never does.
"""

from __future__ import annotations

import textwrap
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gumpc.codes import CODES

MAIN = "ship.yaml"
WIDTH = 100


@dataclass(frozen=True, slots=True)
class Page:
    """What is told of a code. `files` maps paths to texts, the one that is checked first; several are a repository."""

    code: str
    why: str
    files: Mapping[str, str]
    encoding: str
    remedy: str

    @property
    def title(self) -> str:
        """The heading: severity, code and what it says."""
        known = CODES[self.code]
        return f"{known.severity}[{self.code}]: {known.title}"


def read_pages() -> dict[str, Page]:
    """Every page, by code."""
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    return {code: _page(code, entry) for code, entry in table.items()}


def page_as_text(page: Page) -> str:
    """A page for a terminal; ends with a newline."""
    parts = [page.title, textwrap.fill(page.why, WIDTH), "For example:"]
    for path, text in page.files.items():
        heading = f"{path}:\n\n" if len(page.files) > 1 else ""
        parts.append(textwrap.indent(heading + text.rstrip("\n"), "    "))
    parts.append(textwrap.fill(f"What to do: {page.remedy}", WIDTH))
    return "\n\n".join(parts) + "\n"


def _page(code: str, entry: Mapping[str, str | dict[str, str]]) -> Page:
    example, files = entry.get("example"), entry.get("files")
    held = files if isinstance(files, dict) else {MAIN: str(example)}
    return Page(
        code,
        " ".join(str(entry["why"]).split()),
        held,
        str(entry.get("encoding", "utf-8")),
        " ".join(str(entry["remedy"]).split()),
    )
