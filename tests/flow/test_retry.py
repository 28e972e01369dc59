"""Attempts: what changes from one to the next, what each is told, and when a stored result that took several stands."""

from __future__ import annotations

import pytest

from tests.flow.sandbox import Sandbox

pytestmark = pytest.mark.slow


def workflow(sandbox: Sandbox, retry: str, *, gate: str = "test -e good.txt", prompt: str = "Build it") -> None:
    sandbox.workflow(
        "name: w\nsteps:\n"
        f'  - name: s\n    type: code\n    prompt: "{prompt}"\n    agent: offline-a\n'
        f"    gate: [{{bash: '{gate}'}}]\n    retry: {retry}\n"
    )


def agents(sandbox: Sandbox) -> list[str]:
    return [event["agent"] for event in sandbox.events("step_started")]


@pytest.fixture
def stubborn(sandbox: Sandbox) -> Sandbox:
    """Agent `b` does it right; every other call appends a line and leaves it at that."""
    sandbox.rule("Build", {"write": "good.txt", "text": "good\n"}, model="b")
    sandbox.rule("Build", {"append": "tries.txt", "text": "try\n"}, when=[""])
    return sandbox


def test_overrides_apply_in_order_and_stay(stubborn: Sandbox):
    workflow(stubborn, "[{attempt: 2, prompt: 'Second: {error}'}, {attempt: 3, agent: offline-c}, {exit: 4}]")
    assert stubborn.run(code=1) == {"Build": 4}
    assert agents(stubborn) == ["offline-a", "offline-a", "offline-c", "offline-c"]
    assert [stubborn.prompt("s", n).startswith("Second: bash: ended with exit code 1") for n in (1, 2, 3, 4)] == [
        False, True, True, True,
    ]  # fmt: skip


def test_escalation_passes_and_is_what_is_stored(stubborn: Sandbox):
    workflow(stubborn, "[{attempt: 2, agent: offline-b}, {exit: 3}]")
    assert [stubborn.run(), stubborn.run()] == [{"Build": 2}, {}]
    state = stubborn.state()
    assert (state["s.agent"], state["s.attempt"], state["s.retries"]) == ("offline-b", "2", "1")


def test_a_failed_attempt_is_told_with_the_attempts_left(stubborn: Sandbox):
    workflow(stubborn, "[{exit: 3}]")
    stubborn.run(code=1)
    first, second = stubborn.prompt("s", 1), stubborn.prompt("s", 2)
    assert "failed" not in first
    assert "## Attempt 1 failed" in second
    assert "attempt 2 of 3; 1 more" in second
    assert second.startswith("Build it\n")


def test_an_overridden_prompt_gets_nothing_appended(stubborn: Sandbox):
    workflow(stubborn, "[{attempt: 2, prompt: Only this}, {exit: 2}]")
    stubborn.run(code=1)
    assert stubborn.prompt("s", 2).startswith("Only this\n\n## Rules")


def test_an_attempt_keeps_tree_and_session(stubborn: Sandbox):
    workflow(stubborn, "[{exit: 3}]", gate='test "$(wc -l < tries.txt)" = 3')
    assert stubborn.run() == {"Build": 3}
    sessions = [event["session_id"] for event in stubborn.events("agent_completed")]
    assert len(set(sessions)) == 1


def test_reset_goes_back_to_the_steps_start_and_new_is_a_new_session(stubborn: Sandbox):
    workflow(stubborn, "[{attempt: 3, worktree: reset, session: new}, {exit: 3}]")
    stubborn.run(code=1)
    started = stubborn.events("step_started")
    assert started[2]["tree"] == started[0]["tree"] != started[1]["tree"]
    sessions = [event["session_id"] for event in stubborn.events("agent_completed")]
    assert sessions[0] == sessions[1] != sessions[2]


def test_another_agent_has_another_session(stubborn: Sandbox):
    workflow(stubborn, "[{attempt: 2, agent: offline-c}, {exit: 2}]")
    stubborn.run(code=1)
    assert stubborn.events("agent_launched")[1]["session_id"] == ""


def test_a_condition_on_a_gate_or_a_kind_of_failure(stubborn: Sandbox):
    workflow(stubborn, "[{on: agent, agent: offline-x}, {not: gate.bash, agent: offline-b}, {exit: 3}]")
    assert stubborn.run() == {"Build": 2}
    assert agents(stubborn) == ["offline-a", "offline-b"]


def test_a_retry_entry_that_took_part_counts(stubborn: Sandbox):
    """It is in the key of the stored result; one that never applied is not."""
    retry = "[{{attempt: 2, agent: offline-b, prompt: '{0}'}}, {{attempt: 3, prompt: '{1}'}}, {{exit: 4}}]"
    workflow(stubborn, retry.format("Build now", "Never sent"))
    assert stubborn.run() == {"Build": 2}
    workflow(stubborn, retry.format("Build now", "Never sent, changed"))
    assert stubborn.run() == {}
    workflow(stubborn, retry.format("Build at once", "Never sent, changed"))
    assert stubborn.run() == {"Build": 2}


def test_a_session_that_went_another_way_runs_who_goes_on_in_it(stubborn: Sandbox):
    """The key of the first step is the same and so is its tree, but its second attempt was told something else."""
    stubborn.rules.insert(0, {"when": ["Go on"], "do": [{"run": "echo On >> $COUNTED"}], "resumed": True})
    stubborn.rule("Build")

    def write(prompt: str) -> None:
        workflow(stubborn, f"[{{attempt: 2, agent: offline-b, prompt: '{prompt}'}}, {{exit: 2}}]")
        with open(stubborn.repo / "wf.yaml", "a") as file:
            file.write("  - {name: t, type: code, prompt: Go on, agent: offline, session: {from: s}}\n")

    write("Build now")
    assert [stubborn.run(), stubborn.run()] == [{"Build": 2, "On": 1}, {}]
    write("Build at once")
    assert stubborn.run() == {"Build": 2, "On": 1}


def test_a_lost_session_is_said_and_a_new_one_begun(sandbox: Sandbox):
    sandbox.rule("Look", {"say": "seen"})
    sandbox.rule("Go on", {"fail": "no such session", "kind": "session_not_found"}, resumed=True)
    sandbox.rule("Go on", {"write": "x.txt", "text": "x"}, resumed=False)
    sandbox.workflow(
        "name: w\nsteps:\n  - {name: a, type: artifact, prompt: Look, agent: offline}\n"
        "  - {name: b, type: code, prompt: Go on, agent: offline, session: {from: a}}\n"
    )
    assert sandbox.run() == {"Look": 1, "Go": 2}
    assert len(sandbox.events("session_lost")) == 1
    assert len(sandbox.events("agent_completed")) == 2


def test_a_false_verdict_is_a_failed_attempt_with_its_comments(sandbox: Sandbox):
    verdict = '{"pass": false, "comments": "no tests at all"}'
    sandbox.rule("Judge", {"write": ".gump/out/validate.json", "text": verdict}, unless="no tests at all")
    sandbox.rule("Judge", {"write": ".gump/out/validate.json", "text": verdict.replace("false", "true")})
    sandbox.workflow(
        "name: w\nsteps:\n  - {name: v, type: validate, prompt: Judge, agent: offline, retry: [{exit: 2}]}\n"
    )
    assert sandbox.run() == {"Judge": 2}
    first, second = sandbox.events("agent_completed")
    assert (first["failure"], second["failure"]) == ("verdict", "")
    assert sandbox.state()["v.output"] == "true"


@pytest.mark.parametrize("plan", ["no JSON at all", '[{"name": "../x", "description": "d"}]', '[{"name": "a"}]'])
def test_a_split_without_readable_tasks_has_failed(sandbox: Sandbox, plan: str):
    sandbox.rule("Plan", {"write": ".gump/out/plan.json", "text": plan}, unless="Attempt 1 failed")
    sandbox.rule("Plan", {"write": ".gump/out/plan.json", "text": '[{"name": "a", "description": "d"}]'})
    sandbox.workflow(
        "name: w\nsteps:\n  - name: p\n    type: split\n    prompt: Plan\n    agent: offline\n    retry: [{exit: 2}]\n"
        "    each: [{name: g, gate: [{bash: 'true'}]}]\n"
    )
    assert sandbox.run() == {"Plan": 2}
    assert "plan.json" in sandbox.prompt("p", 2)


def test_the_blast_radius_is_judged_over_the_whole_change(sandbox: Sandbox):
    """Attempt 1 writes a forbidden file and attempt 2 does not touch it: it is still there, so it still fails."""
    tasks = '[{"name": "a", "description": "task-a", "files": ["mine.txt"]}]'
    sandbox.rule("Plan", {"write": ".gump/out/plan.json", "text": tasks})
    sandbox.rule("Build", {"write": "yours.txt", "text": "x"}, unless="failed")
    sandbox.rule("Build", {"write": "mine.txt", "text": "x"})
    text = (
        "name: w\nsteps:\n  - name: p\n    type: split\n    prompt: Plan\n    agent: offline\n    each:\n"
        "      - {name: i, type: code, prompt: Build, agent: offline, retry: [{exit: 2}]}\n"
    )
    sandbox.workflow(text)
    assert sandbox.run(code=1) == {"Plan": 1, "Build": 2}
    assert [event["reason"].split(":")[0] for event in sandbox.events("gate_failed")] == ["blast_radius"] * 2
    sandbox.workflow(text.replace("    each:", "    blast_radius: warn\n    each:"))
    assert sandbox.run() == {"Build": 1}
    assert "yours.txt" in sandbox.events("blast_radius_warning")[0]["violators"][0]
    sandbox.workflow(text.replace("    each:", "    blast_radius: off\n    each:"))
    assert sandbox.run() == {"Build": 1}
    assert sandbox.events("blast_radius_warning") == []


def test_touched_and_untouched_are_judged_over_the_whole_change(sandbox: Sandbox):
    sandbox.rule("Build", {"write": "kept.txt", "text": "changed"}, {"write": "new.txt", "text": "x"}, unless="failed")
    sandbox.rule("Build", {"write": "more.txt", "text": "x"})
    sandbox.commit({"kept.txt": "as it was"})
    sandbox.workflow(
        "name: w\nsteps:\n  - name: s\n    type: code\n    prompt: Build\n    agent: offline\n"
        "    gate: [touched: new.txt, untouched: kept.txt]\n    retry: [{exit: 2}]\n"
    )
    assert sandbox.run(code=1) == {"Build": 2}
    verdicts = [[gate["passed"] for gate in event["gates"]] for event in sandbox.events("gate_failed")]
    assert verdicts == [[True, False], [True, False]]


def test_all_gates_run_and_all_their_errors_are_told(sandbox: Sandbox):
    sandbox.rule("Build", {"write": "x.txt", "text": "x"})
    sandbox.workflow(
        "name: w\nsteps:\n  - name: s\n    type: code\n    prompt: Build\n    agent: offline\n    retry: [{exit: 2}]\n"
        "    gate:\n      - bash: 'echo first >&2; false'\n      - {bash: 'echo second >&2; false', as: other}\n"
    )
    sandbox.run(code=1)
    assert "bash: first" in sandbox.prompt("s", 2)
    assert "other: second" in sandbox.prompt("s", 2)
