"""Files of edition 3 are run: tasks of a `foreach` under the group's path, strategies, and what is refused by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.flow.console import Sandbox

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "02-split-and-escalate"
OLD = """
name: old
max_budget: 5.00
steps:
  - name: decompose
    output: plan
    agent: offline-large
    prompt: |
      Split this into tasks.

      {spec}
    gate: [schema]
  - name: build
    foreach: decompose
    steps:
      - name: implement
        agent: offline-small
        max_budget: 0.50
        session: reuse-on-retry
        prompt: |
          Implement this task, with tests.

          {item.description}
        gate: [compile, test]
        on_failure:
          retry: 3
          strategy:
            - same
            - escalate: offline-large
  - name: quality
    gate: [compile, test]
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    made = Sandbox(tmp_path)
    shutil.copytree(EXAMPLE, made.folder / "it")
    script = made.folder / "it" / "offline.json"
    # Without a prompt of its own, a retry is told of the failure in the words of the product.
    rules = json.loads(script.read_text("utf-8"))
    for rule in rules["rules"]:
        for key in ("when", "unless"):
            if "do not pass yet" in rule.get(key, ""):
                rule[key] = "failed"
    rules["rules"].sort(key=lambda rule: rule["when"] != "failed")
    script.write_text(json.dumps(rules), "utf-8")
    (made.folder / "it" / ".gump" / "workflows" / "old.yaml").write_text(OLD, "utf-8")
    result = made.run("cd it && git init -q && git add -A && git commit -qm start")
    assert result.code == 0, result.output
    return made


def launches(sandbox: Sandbox) -> list[str]:
    (ledger,) = list((sandbox.folder / ".gump/runs").glob("*/manifest.ndjson"))[-1:]
    events = [json.loads(line) for line in ledger.read_text("utf-8").splitlines()]
    return [event["step"] for event in events if event["type"] == "agent_launched"]


def test_tasks_run_below_the_group_and_are_taken_from_the_cache(sandbox: Sandbox) -> None:
    first = sandbox.run("gumpc run old --spec spec.md")
    assert first.code == 0, first.output
    steps = ["decompose", "build/mean/implement", *["build/median/implement"] * 3]
    assert launches(sandbox) == steps
    again = sandbox.run("gumpc run old --spec spec.md --json 2>&1")
    assert again.code == 0, again.output
    assert '"agent_launched"' not in again.output


EQUAL = {
    "old": "output: diff\n    agent: offline-small\n    timeout: 5m\n    on_failure: {retry: 2}",
    "new": "type: code\n    agent: offline-small\n    guard: {max_time: 6m}\n"
    "    retry: [{attempt: 2, session: new, worktree: reset}, {exit: 3}]",
}


@pytest.mark.parametrize(("first", "second"), [("old", "new"), ("new", "old")])
def test_a_step_that_is_equal_in_both_editions_is_run_once(first: str, second: str, sandbox: Sandbox) -> None:
    def run(edition: str) -> str:
        prompt = "mean(numbers) in stats.py: the sum"
        text = f'name: w\nsteps:\n  - name: impl\n    prompt: "{prompt}"\n    gate: [test]\n    {EQUAL[edition]}\n'
        (sandbox.folder / "w.yaml").write_text(text, "utf-8")
        ran = sandbox.run("gumpc run w.yaml --dirty --json 2>&1")
        assert ran.code == 0, ran.output
        return ran.output

    assert '"agent_launched"' in run(first)
    assert '"agent_launched"' not in run(second)


def test_a_default_of_the_workflow_that_is_run_is_filled_in(sandbox: Sandbox) -> None:
    text = 'name: w\ninputs:\n  tone: {default: calm}\nsteps:\n  - {name: a, agent: offline, prompt: "{tone}"}\n'
    (sandbox.folder / "w.yaml").write_text(text, "utf-8")
    assert sandbox.run("gumpc check w.yaml").output == "no faults in 1 workflow\n"
    assert sandbox.run("gumpc plan w.yaml --dirty --render a").output.startswith("calm\n")
    assert sandbox.run("gumpc plan w.yaml --dirty --render a --set tone=loud").output.startswith("loud\n")


HEAD = "name: no\nedition: 3\nsteps:\n  - {name: a, output: plan, agent: offline, prompt: x}\n"
CODE = "{name: b, agent: offline, prompt: x}"
REFUSED = {
    "restart_from": "  - {name: b, agent: offline, prompt: x, on_failure: {retry: 1, restart_from: a}}",
    "replan": "  - {name: b, foreach: a, steps: [{name: c, agent: offline, prompt: x, "
    "on_failure: {retry: 1, strategy: [{replan: offline}]}}]}",
    "guard": "  - {name: b, agent: offline, prompt: x, on_failure: {guard_fail: {retry: 1}}}",
    "group's own `retry`": f"  - {{name: g, on_failure: {{retry: 1}}, steps: [{CODE}]}}",
    "group's own `gate`": f"  - {{name: g, foreach: a, gate: [test], steps: [{CODE}]}}",
    "parallel": f"  - {{name: g, foreach: a, parallel: true, steps: [{CODE}]}}",
    "{run.cost}": '  - {name: b, agent: offline, prompt: "{run.cost}"}',
    "joins the tasks": f"  - {{name: g, foreach: a, steps: [{CODE}]}}\n"
    '  - {name: c, agent: offline, prompt: "{steps.b.diff}"}',
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_carried_out_is_refused_by_name(what: str, sandbox: Sandbox) -> None:
    (sandbox.folder / "no.yaml").write_text(HEAD + REFUSED[what] + "\n", "utf-8")
    checked = sandbox.run("gumpc check no.yaml")
    assert checked.code == 0, checked.output
    result = sandbox.run("gumpc run no.yaml --dirty")
    assert result.code == 2, result.output
    assert what in result.output
    assert "not carried out by this version" in result.output.replace("\n", " ")
