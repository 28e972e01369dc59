"""Text to nodes: one YAML document as `Scalar`, `Sequence` and `Mapping`, whatever bytes the file holds.

Decoding, the limit on size, and the loop that starts again when a published spelling that is not YAML stopped the
parser; the nodes themselves are built in `gumpc.yaml_nodes`.
"""

from __future__ import annotations

import yaml

from gumpc.diagnostics import Collector
from gumpc.nodes import Node
from gumpc.source import Source, Span
from gumpc.yaml_nodes import NodeBuilder, TooBigError
from gumpc.yaml_places import Places, Repair

MAX_CHARACTERS = 1 << 20
MAX_REPAIRS = 100
MAX_REREAD = 2 * MAX_CHARACTERS  # characters read in all while repairing

_BOM = "\ufeff"


def decode(name: str, raw: bytes, collector: Collector) -> Source | None:
    """The text of a file that must be UTF-8, a byte order mark dropped; None, and G001, when it is not."""
    try:
        return Source(name, raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig", "replace")
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        collector.add(
            "G001",
            f"byte 0x{raw[error.start]:02x} is not UTF-8",
            Span(name, line, column, line, column),
            help="save the file as UTF-8",
        )
        return None


def read(source: Source, collector: Collector) -> Node | None:
    """The one document of `source`; None when it has no usable root, with the reasons in `collector`."""
    source = Source(source.name, source.text.removeprefix(_BOM))
    if len(source.text) > MAX_CHARACTERS:
        collector.add(
            "G007",
            f"the file has {len(source.text):,} characters, the limit is {MAX_CHARACTERS:,}",
            Span(source.name, 1, 1, 1, 1),
            help="keep long texts in files of their own: `prompt: {file: PATH}`",
        )
        return None
    return _read(source, collector)


def _read(source: Source, collector: Collector) -> Node | None:
    """Read the document, starting again with one more repair as long as a published spelling stops the parser."""
    repairs: tuple[Repair, ...] = ()
    while True:
        found = Collector()
        places = Places(source, repairs)
        try:
            root = NodeBuilder(places, found).document()
        except TooBigError:
            root = None
        except yaml.MarkedYAMLError as error:
            # Each repair is a new start, so their number is bounded by what is read in all.
            may_repair = (len(repairs) + 1) * len(source.text) <= MAX_REREAD and len(repairs) < MAX_REPAIRS
            if may_repair and (more := _repair(places, error)):
                repairs += more
                continue
            _report_fault(places, error, found)
            root = None
        except (yaml.reader.ReaderError, UnicodeEncodeError):
            _report_unprintable(places, found)
            root = None
        break
    if repairs:
        _report_repairs(places, collector)
    collector.found += found.found
    return root


# What only a faulty file needs is imported when a file is faulty: it is a twentieth of the time of `gumpc check`.


def _repair(places: Places, error: yaml.MarkedYAMLError) -> tuple[Repair, ...]:
    from gumpc.yaml_repair import find_repairs

    return find_repairs(places, error)


def _report_repairs(places: Places, collector: Collector) -> None:
    from gumpc.yaml_repair import report_repairs

    report_repairs(places, collector)


def _report_fault(places: Places, error: yaml.MarkedYAMLError, collector: Collector) -> None:
    from gumpc.yaml_faults import report_fault

    report_fault(places, error, collector)


def _report_unprintable(places: Places, collector: Collector) -> None:
    match = yaml.reader.Reader.NON_PRINTABLE.search(places.text)
    index = match.start() if match else 0
    collector.add(
        "G002",
        f"the character U+{ord(places.text[index]):04X} may not stand in YAML",
        places.span(index, index + 1),
        help="delete it, or write it as an escape in double quotes",
    )
