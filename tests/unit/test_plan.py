"""Plans: nodes and edges against golden files, and what may and may not change them.

A case's first comment holds the tasks of its splits, as names with what each needs; its `.json` holds the plan before
the splits have run and the plan with those tasks. `GUMPC_UPDATE_GOLDEN=1` rewrites it; the review is the diff.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gumpc.compiler import compile_workflow
from gumpc.config_types import Config
from gumpc.ir import Workflow
from gumpc.library import Found, Library
from gumpc.plan import Plan, Tasks, make_plan
from gumpc.rules.world import World
from gumpc.tasks import Task
from runtime.plan_file import dump_plan, load_plan
from tests.test_cases import MAIN, OK, cases, compile_case, name_of

PLANS = cases("plan")
GOLDEN = Path(__file__).parents[1] / "cases" / "plan"


def workflow_of(path: Path) -> Workflow:
    compiled = compile_case(path)
    assert compiled.workflow is not None, compiled.diagnostics
    return compiled.workflow


def compile_text(text: str) -> Workflow:
    library = Library(root=None, home=None, shown_from=GOLDEN / "nowhere")
    found = Found("f.yaml", None, text.encode())
    compiled = compile_workflow(found, library=library, config=Config(), world=World(Config()))
    assert compiled.workflow is not None, compiled.diagnostics
    return compiled.workflow


def tasks_of(path: Path) -> Tasks:
    found = re.match(r"# tasks: (.*)\n", path.read_text("utf-8"))
    listed = json.loads(found[1]) if found else {}
    return {
        split: tuple(Task(name, f"do {name}", needs=tuple(needs)) for name, needs in tasks)
        for split, tasks in listed.items()
    }


def shown(plan: Plan) -> list[str]:
    """One line a node: its kind and id, whose tree it starts from, and the edges into it."""
    lines = []
    for node in plan.nodes:
        edges = " ".join(f"{edge.kind}:{edge.source}" for edge in plan.edges_into(node.id))
        template = " (template)" if node.is_template else ""
        lines.append(f"{node.kind} {node.id}{template} <- {edges}".removesuffix(" <- "))
    return lines


@pytest.mark.parametrize("path", PLANS, ids=name_of)
def test_nodes_and_edges(path: Path) -> None:
    workflow, tasks = workflow_of(path), tasks_of(path)
    plans = {"static": shown(make_plan(workflow))}
    if tasks:
        plans["expanded"] = shown(make_plan(workflow, tasks))
    golden = GOLDEN / f"{name_of(path)}.json"
    if os.environ.get("GUMPC_UPDATE_GOLDEN") == "1":
        golden.write_text(json.dumps(plans, indent=1) + "\n", encoding="utf-8")
    assert plans == json.loads(golden.read_text("utf-8"))


@pytest.mark.parametrize("path", [*OK, *PLANS], ids=name_of)
def test_a_plan_has_one_order_and_no_loop(path: Path) -> None:
    workflow = workflow_of(path)
    for tasks in ({}, tasks_of(path)):
        plan = make_plan(workflow, tasks)
        order = {node.id: number for number, node in enumerate(plan.nodes)}
        assert len(order) == len(plan.nodes)
        assert all(order[edge.source] < order[edge.target] for edge in plan.edges)


@pytest.mark.parametrize("path", [*OK, *PLANS], ids=name_of)
def test_a_plan_file_gives_the_same_plan(path: Path) -> None:
    plan = make_plan(workflow_of(path), tasks_of(path))
    written = dump_plan(plan, inputs={"spec": "s"}, own_files=("spec.md",), agent=None)
    again, file = load_plan(written, name="plan.json")
    assert (again.workflow, again.nodes, again.edges, again.frames) == (
        plan.workflow,
        plan.nodes,
        plan.edges,
        plan.frames,
    )
    assert dump_plan(again, inputs=file.inputs, own_files=file.own_files, agent=file.agent) == written


def reordered(value: object) -> object:
    """The same YAML with the keys of every map the other way round."""
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


def identity(plan: Plan) -> list[tuple[str, str, str]]:
    return [(node.id, node.kind, node.recipe) for node in plan.nodes]


@pytest.mark.parametrize("path", [p for p in [*OK, *PLANS] if p.name != MAIN], ids=name_of)
def test_the_order_of_keys_and_comments_mean_nothing(path: Path) -> None:
    text = path.read_text("utf-8")
    plan = make_plan(workflow_of(path))
    if "%YAML" not in text and "<<" not in text:
        document = yaml.load(text, Loader=yaml.BaseLoader)
        turned = make_plan(compile_text(yaml.safe_dump(reordered(document), sort_keys=False)))
        assert identity(turned) == identity(plan)
        assert set(turned.edges) == set(plan.edges)
    if "%YAML" not in text:
        commented = make_plan(compile_text("# one\n\n" + text + "\n# two\n"))
        assert identity(commented) == identity(plan)
        assert commented.edges == plan.edges


def test_a_changed_prompt_is_a_change_of_one_step() -> None:
    text = (GOLDEN / "groups.yaml").read_text("utf-8")
    before = dict(identity_by_id(make_plan(compile_text(text))))
    edited = text.replace('prompt: "{first.output}"', 'prompt: "No {first.output}"')
    after = dict(identity_by_id(make_plan(compile_text(edited))))
    assert before.keys() == after.keys()
    assert [node for node in before if before[node] != after[node]] == ["both/left/one"]


def identity_by_id(plan: Plan) -> list[tuple[str, str]]:
    return [(node.id, node.recipe) for node in plan.nodes]


def test_what_depends_on_a_value_that_a_call_hands_on() -> None:
    path = GOLDEN / "calls" / MAIN
    plan = make_plan(workflow_of(path), tasks_of(path))
    assert {"setup/write", "setup/deeper/last", "decompose/a/again/write"} <= plan.dependants("plan")
    assert "decompose/a/again/deeper/last" in plan.dependants("decompose/a/impl")
    assert "after" in plan.dependants("setup/deeper/last")
    assert "setup/write" not in plan.dependants("decompose")


def test_what_depends_on_one_branch_of_several() -> None:
    path = GOLDEN / "split-parallel.yaml"
    plan = make_plan(workflow_of(path), tasks_of(path))
    assert {"decompose/*", "quality"} <= plan.dependants("decompose/b/impl")
    assert "decompose/a/look" not in plan.dependants("decompose/b/impl")


def test_the_hash_seed_changes_nothing() -> None:
    path = GOLDEN / "calls" / MAIN
    program = (
        "import sys; from pathlib import Path; from tests.unit.test_plan import *\n"
        "path = Path(sys.argv[1]); compiled = compile_case(path)\n"
        "plan = make_plan(compiled.workflow, tasks_of(path))\n"
        "sys.stdout.buffer.write(dump_plan(plan, inputs={}, own_files=(), agent=None))\n"
        "print(identity(plan), plan.edges)\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program, str(path)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(outputs) == 1
