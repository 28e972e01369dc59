"""The picture of docs/architecture.md: the arrows between its named groups of modules, read and drawn.

People name the groups and say what each makes, in the page's table; the arrows follow from the code. So a new
dependency between two groups appears as a changed line of the page, where a reviewer sees it.
Run as a program (`make update-golden` does), this module redraws the picture in place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.arch.imports import ROOT, files, own_imports

PAGE = ROOT / "docs" / "architecture.md"

ROW = re.compile(r"^\| \*\*(?P<group>[a-z]+)\*\* \|.*\| (?P<modules>[^|]+) \|$", re.MULTILINE)
PICTURE = re.compile(r"(?<=```mermaid\n).*?(?=```)", re.DOTALL)
ARROWS = re.compile(r"^\s*(?P<source>[a-z]+) (?P<arrow>-->|-\.->) (?P<targets>[a-z &]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """Modules of `source` import modules of `target`; `eager` when at least one does so as it is imported."""

    source: str
    target: str
    eager: bool


def groups() -> dict[str, tuple[str, ...]]:
    """Each group of the page's table with its entries: `a.b`, `a.b.*` for `a.b` and all below it, `a.b_*`."""
    text = PAGE.read_text("utf-8")
    return {row["group"]: tuple(re.findall(r"`([\w.*]+)`", row["modules"])) for row in ROW.finditer(text)}


def homes(module: str) -> list[str]:
    """The groups that list a module, by its own name or by a pattern; a name is stronger than a pattern."""
    exact = [group for group, listed in groups().items() if module in listed]
    return exact or [group for group, listed in groups().items() if any(covers(entry, module) for entry in listed)]


def covers(entry: str, module: str) -> bool:
    """True when an entry of the table speaks of `module`."""
    return module == entry.removesuffix(".*") or fnmatchcase(module, entry)


def drawn() -> frozenset[Edge]:
    """The arrows of the picture in the page."""
    picture = PICTURE.search(PAGE.read_text("utf-8"))
    assert picture, f"{PAGE.name} has no mermaid picture"
    return frozenset(
        Edge(row["source"], target.strip(), row["arrow"] == "-->")
        for row in ARROWS.finditer(picture[0])
        for target in row["targets"].split("&")
    )


def real() -> frozenset[Edge]:
    """The arrows that the code draws."""
    home = {module: found[0] for module in files() if (found := homes(module))}
    between: dict[tuple[str, str], bool] = {}
    for item in own_imports():
        if item.importer in home and item.imported in home and home[item.importer] != home[item.imported]:
            key = home[item.importer], home[item.imported]
            between[key] = between.get(key, False) or item.eager
    return frozenset(Edge(source, target, eager) for (source, target), eager in between.items())


def draw() -> str:
    """The picture's text for the code as it is."""
    lines = ["flowchart TD"]
    for package in ("gumpc", "runtime"):
        members = [group for group, listed in groups().items() if listed[0].partition(".")[0] == package]
        lines += [f"    subgraph {package}", *(f"        {member}" for member in members), "    end"]
    for source in groups():
        for arrow, eager in (("-->", True), ("-.->", False)):
            targets = sorted(edge.target for edge in real() if edge.source == source and edge.eager == eager)
            if targets:
                lines.append(f"    {source} {arrow} {' & '.join(targets)}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(PICTURE.sub(lambda _: draw(), PAGE.read_text("utf-8")), "utf-8")
