"""The JSON Schema against the parser: both accept the same files, and find fault with the same steps of the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from gumpc.diagnostics import Collector
from gumpc.nodes import Mapping, Node, Sequence
from gumpc.parser import parse
from gumpc.schema import schema, schema_text
from gumpc.source import Source, Span
from gumpc.yaml_reader import read
from tests.editors.instance import instance

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "grammar" / "workflow.schema.json"
SOUND = sorted(
    path
    for pattern in (
        *("tests/cases/ok/**/*.yaml", "tests/cases/plan/**/*.yaml", "gumpc/builtin/**/*.yaml", "gumpc/demo/*.yaml"),
        "examples/*/.gump/**/*.yaml",
    )
    for path in ROOT.glob(pattern)
    if "/ed3-" not in path.as_posix()
)
FAULTY = sorted(path for path in ROOT.glob("tests/cases/err/**/*.yaml") if "/ed3-" not in path.as_posix())

SHAPE = {f"G10{digit}" for digit in range(1, 9)}
# To the schema, what edition 3 had is an unknown key, and the `exit` of a `retry` a required one.
SAID_BY_BOTH = SHAPE | {"G110", "G401"}
# Where the two differ, as docs/editors.md says, and why.
DIFFERENT = {
    "names-reserved": "that a name is reserved is said by the resolver, and by the schema already",
    "spelling-reference": "`{spec}` without quotes is a warning to the compiler and a map to the schema",
}

StepPath = tuple[str | int, ...]


@pytest.fixture(scope="module")
def validator() -> Draft7Validator:
    Draft7Validator.check_schema(schema())
    return Draft7Validator(schema())


def node_of(path: Path) -> Node | None:
    """The file's root, if the reader has nothing to say of it."""
    out = Collector()
    node = read(Source(path.name, path.read_text("utf-8")), out)
    return None if out.found else node


def step_of(path: StepPath) -> StepPath:
    """The innermost step that a JSON path lies in: its path, empty for the root."""
    ends = [at + 1 for at in range(1, len(path)) if path[at - 1] in ("steps", "each") and isinstance(path[at], int)]
    return path[: max(ends, default=0)]


def path_to(node: Node, span: Span) -> StepPath:
    """The JSON path of the innermost node that `span` is about; a key belongs to its map."""
    here = span.line, span.column
    inner: list[tuple[str | int, Span, Node]] = []
    if isinstance(node, Mapping):
        inner = [(key.value, key.span, value) for key, value in node.entries]
    elif isinstance(node, Sequence):
        inner = [(at, item.span, item) for at, item in enumerate(node.items)]
    before = [entry for entry in inner if (entry[1].line, entry[1].column) <= here]
    if not before:
        return ()
    name, start, value = before[-1]
    is_key = isinstance(node, Mapping) and (start.line, start.column) == here
    return () if is_key else (name, *path_to(value, span))


def parser_faults(node: Node) -> tuple[list[str], set[StepPath]]:
    """The codes of the faults that both sides must find, and the steps they are in."""
    out = Collector()
    parse(node, out)
    told = [d for d in out.found if d.code in SAID_BY_BOTH]
    return [d.code for d in told], {step_of(path_to(node, d.span)) for d in told}


BASE = "name: x\nsteps:\n  - name: one\n    type: split\n    agent: a\n    prompt: p\n    guard: {max_time: 1m}\n"
REFUSED_BY_SCHEMA = {
    "agent: {implement.agent}": ("agent: a", "agent: {implement.agent}"),
    'parallel: "true"': ("type: split", 'type: split\n    parallel: "true"'),
    'edition: "4"': ("name: x", 'edition: "4"\nname: x'),
    "prompt: true": ("prompt: p", "prompt: true"),
}
REFUSED_BY_PARSER = {
    "name: -1": ("name: one", "name: -1"),
    "parallel: True": ("type: split", "type: split\n    parallel: True"),
    "max_turns: 5.0": ("max_time: 1m", "max_turns: 5.0"),
    'max_turns: "0"': ("max_time: 1m", 'max_turns: "0"'),
    '"coverage: 101"': ("type: split", 'type: split\n    gate: ["coverage: 101"]'),
    "max_budget: .nan": ("max_time: 1m", "max_budget: .nan"),
}


@pytest.mark.parametrize("written", [*REFUSED_BY_SCHEMA, *REFUSED_BY_PARSER])
def test_the_page_tells_the_differences(written: str, validator: Draft7Validator) -> None:
    old, new = {**REFUSED_BY_SCHEMA, **REFUSED_BY_PARSER}[written]
    out = Collector()
    node = read(Source("f.yaml", BASE.replace(old, new)), out)
    assert node is not None
    parse(node, out)
    refused = any(d.severity == "error" for d in out.found), not validator.is_valid(instance(node))
    assert refused == (written in REFUSED_BY_PARSER, written in REFUSED_BY_SCHEMA)
    assert f"`{written}`" in (ROOT / "docs" / "editors.md").read_text("utf-8")


def test_the_committed_schema_is_the_generated_one() -> None:
    if os.environ.get("GUMPC_UPDATE_GOLDEN") == "1":
        COMMITTED.write_text(schema_text(), "utf-8")
    assert COMMITTED.read_text("utf-8") == schema_text()


def test_the_command_prints_it_anywhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gumpc", "schema"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == COMMITTED.read_text("utf-8")
    assert done.stderr == ""


@pytest.mark.parametrize("path", SOUND, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_sound_file_is_valid(path: Path, validator: Draft7Validator) -> None:
    node = node_of(path)
    assert node is not None
    assert [(list(e.absolute_path), e.message) for e in validator.iter_errors(instance(node))] == []


@pytest.mark.parametrize("path", FAULTY, ids=lambda path: str(path.relative_to(ROOT / "tests/cases/err")))
def test_a_faulty_file_has_its_faults_in_the_same_steps(path: Path, validator: Draft7Validator) -> None:
    node = node_of(path)
    if path.stem in DIFFERENT or node is None:
        return
    found = {step_of(tuple(e.absolute_path)) for e in validator.iter_errors(instance(node))}
    assert found == parser_faults(node)[1]


def test_the_cases_hold_many_faults_of_every_kind() -> None:
    """Otherwise the test above could pass by having nothing to compare."""
    nodes = [node for path in FAULTY if path.stem not in DIFFERENT and (node := node_of(path))]
    codes = [code for node in nodes for code in parser_faults(node)[0]]
    assert set(codes) == SAID_BY_BOTH
    assert len([code for code in codes if code in SHAPE]) >= 90


def test_every_key_is_explained() -> None:
    bare = []

    def walk(part: object, where: str) -> None:
        if isinstance(part, dict):
            if part.get("type") == "object" and "title" in part:
                bare.extend(f"{where}.{name}" for name, key in part["properties"].items() if not key.get("description"))
            for name, inner in part.items():
                walk(inner, f"{where}/{name}")
        elif isinstance(part, list):
            for inner in part:
                walk(inner, where)

    walk(json.loads(COMMITTED.read_text("utf-8")), "")
    assert bare == []
