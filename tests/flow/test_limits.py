"""Guards of an attempt and limits of a run: what is over is ended, what was spent counts, and no gate lets it pass."""

from __future__ import annotations

import pytest

from tests.flow.sandbox import Sandbox

pytestmark = pytest.mark.slow

WRITES = {"write": "x.txt", "text": "x"}


def workflow(sandbox: Sandbox, guard: str, *, root: str = "", retry: str = "", kind: str = "code") -> None:
    sandbox.workflow(
        f"name: w\n{root}steps:\n  - name: s\n    type: {kind}\n    prompt: Toil\n    agent: offline\n"
        f"    guard: {guard}\n    gate: [{{bash: 'echo gate >> $COUNTED'}}]\n{retry}"
    )


@pytest.mark.parametrize(
    ("guard", "actions", "named"),
    [
        ("{max_turns: 3}", [WRITES, *[{"run": "true"}] * 9, {"sleep": 5}], "max_turns"),
        ("{max_budget: 0.5}", [WRITES, {"usage": {"input": 1, "output": 1, "cost": 0.6}}, {"sleep": 5}], "max_budget"),
        ("{max_tokens: 100}", [WRITES, {"usage": {"input": 90, "output": 20, "cost": 0}}, {"sleep": 5}], "max_tokens"),
        ("{max_time: 1s}", [WRITES, {"sleep": 30}], "max_time"),
        ("{no_write: true}", [WRITES, {"sleep": 5}], "no_write"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
)
def test_a_guard_ends_the_attempt(sandbox: Sandbox, guard: str, actions: list[dict[str, object]], named: str):
    sandbox.rule("Toil", *actions)
    workflow(sandbox, guard)
    assert sandbox.run(code=1) == {"Toil": 1}, "no gate judges what a guard has ended"
    assert [event["guard"] for event in sandbox.events("guard_triggered")] == [named]
    start = sandbox.events("run_started")[0]["tree"]
    assert sandbox.events("run_completed")[0]["tree"] == start, "the tree is as it was before the attempt"
    assert sandbox.survivors() == []


def test_a_write_through_the_shell_is_found_in_the_tree(sandbox: Sandbox):
    sandbox.rule("Toil", {"run": "echo sneaky > y.txt"})
    workflow(sandbox, "{no_write: true}")
    assert sandbox.run(code=1) == {"Toil": 1}
    assert "y.txt" in sandbox.events("guard_triggered")[0]["reason"]


def test_a_read_only_step_may_not_write(sandbox: Sandbox):
    out = {"write": ".gump/out/artifact.txt", "text": "fine"}
    sandbox.rule("Toil", {"run": "echo sneaky > y.txt"}, out, unless="failed")
    sandbox.rule("Toil", out)
    workflow(sandbox, "{max_turns: 9}", kind="artifact", retry="    retry: [{exit: 2}]\n")
    assert sandbox.run() == {"Toil": 2, "gate": 1}
    assert sandbox.result("y.txt") is None
    assert "y.txt" in sandbox.prompt("s", 2)


def test_what_a_guard_ended_is_paid_and_tried_again(sandbox: Sandbox):
    spend = {"usage": {"input": 1, "output": 1, "cost": 0.6}}
    sandbox.rule("Toil", WRITES, spend, {"sleep": 5}, unless="failed")
    sandbox.rule("Toil", {"write": "good.txt", "text": "x"}, {"usage": {"input": 1, "output": 1, "cost": 0.1}})
    workflow(sandbox, "{max_budget: 0.5}", retry="    retry: [{on: guard, agent: offline-big}, {exit: 3}]\n")
    assert sandbox.run() == {"Toil": 2, "gate": 1}
    assert (sandbox.result("x.txt"), sandbox.result("good.txt")) == (None, "x")
    assert sandbox.state()["s.cost"] == "0.700000"
    assert sandbox.events("step_started")[1]["agent"] == "offline-big"


def test_raising_a_guard_runs_nothing(sandbox: Sandbox):
    sandbox.rule("Toil", WRITES)
    workflow(sandbox, "{max_turns: 9}")
    sandbox.run()
    workflow(sandbox, "{max_turns: 90, max_budget: 3, max_time: 1h}")
    assert sandbox.run() == {}


def test_the_runs_budget_ends_a_call_and_starts_no_other(sandbox: Sandbox):
    sandbox.rule("Toil", WRITES, {"usage": {"input": 1, "output": 1, "cost": 0.6}}, {"sleep": 5})
    sandbox.rule("Never", WRITES)
    workflow(sandbox, "{max_turns: 9}", root="max_budget: 0.5\n", retry="    retry: [{exit: 3}]\n")
    with open(sandbox.repo / "wf.yaml", "a") as file:
        file.write("  - {name: t, type: code, prompt: Never, agent: offline}\n")
    ended = sandbox.gumpc("run", "wf.yaml", code=1)
    assert sandbox.counted() == {"Toil": 1}
    assert sandbox.events("budget_exceeded")[0]["scope"] == "max_budget"
    assert "budget reached: $0.60 of $0.50" in ended.stderr


def test_a_budget_that_is_spent_exactly_starts_no_call(sandbox: Sandbox):
    sandbox.rule("Toil", WRITES, {"usage": {"input": 1, "output": 1, "cost": 0.5}})
    sandbox.rule("Never", WRITES)
    workflow(sandbox, "{max_turns: 9}")
    with open(sandbox.repo / "wf.yaml", "a") as file:
        file.write("  - {name: t, type: code, prompt: Never, agent: offline}\n")
    assert sandbox.run("--max-budget", "0.5", code=1) == {"Toil": 1, "gate": 1}
    assert sandbox.run() == {"Never": 1}, "what had passed is kept"


def test_the_runs_tokens_end_a_call(sandbox: Sandbox):
    sandbox.rule("Toil", WRITES, {"usage": {"input": 60, "output": 60, "cost": 0}}, {"sleep": 5})
    workflow(sandbox, "{max_turns: 9}", root="max_tokens: 100\n")
    assert sandbox.run(code=1) == {"Toil": 1}
    assert sandbox.events("budget_exceeded")[0]["scope"] == "max_tokens"


def test_the_runs_time_ends_a_silent_agent(sandbox: Sandbox):
    sandbox.rule("Toil", {"sleep": 60})
    workflow(sandbox, "{max_turns: 9}", root="max_timeout: 1s\n", retry="    retry: [{exit: 3}]\n")
    assert sandbox.run(code=1) == {"Toil": 1}
    assert sandbox.events("budget_exceeded")[0]["scope"] == "max_timeout"
    assert sandbox.survivors() == []


def test_the_runs_time_ends_a_gate(sandbox: Sandbox):
    sandbox.workflow("name: w\nmax_timeout: 1s\nsteps:\n  - {name: g, gate: [{bash: 'sleep 60'}]}\n")
    sandbox.gumpc("run", "wf.yaml", code=1)
    assert sandbox.events("budget_exceeded")[0]["scope"] == "max_timeout"
    assert sandbox.survivors() == []


def test_pauses_do_not_count_as_time(sandbox: Sandbox):
    """An interrupted run keeps what it had spent, and goes on with what is left."""
    sandbox.rule("Toil", WRITES)
    sandbox.rule("Stop", {"fail": "log in first", "kind": "auth"})
    workflow(sandbox, "{max_turns: 9}", root="max_budget: 5\n")
    with open(sandbox.repo / "wf.yaml", "a") as file:
        file.write("  - {name: t, type: code, prompt: Stop, agent: offline}\n")
    assert sandbox.run(code=3) == {"Toil": 1, "gate": 1, "Stop": 1}
    assert sandbox.events("run_paused")[0]["reason"] == "auth"
    sandbox.rules.pop()
    sandbox.rule("Stop", WRITES)
    before = sandbox.counted()
    sandbox.gumpc("run", "--resume", code=0)
    assert sandbox.counted() - before == {"Stop": 1}
