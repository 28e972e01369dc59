"""What a second run does, after nothing or one thing has changed: the agent's calls and the gates' runs are counted."""

from __future__ import annotations

import shutil

import pytest

from tests.flow.sandbox import Sandbox

pytestmark = pytest.mark.slow

WORKFLOW = """\
name: ship
steps:
  - name: plan
    type: split
    prompt: "Plan: {spec}"
    agent: offline
    gate: [schema]
    each:
      - name: impl
        type: code
        prompt: "Build {task.description}"
        agent: offline
        gate:
          - bash: "echo gate >> $COUNTED; ! grep -q forbidden out-*.txt"
  - name: review
    type: artifact
    prompt: "Review {/plan/*/impl.diff}"
    agent: offline
"""
TASKS = '[{"name": "a", "description": "task-a"}, {"name": "b", "description": "task-b"}]'


@pytest.fixture
def ship(sandbox: Sandbox) -> Sandbox:
    """The workflow, run once."""
    sandbox.rule("Plan", {"write": ".gump/out/plan.json", "text": TASKS})
    for task in "ab":
        sandbox.rule(f"Build task-{task}", {"write": f"out-{task}.txt", "text": f"{task}\n"})
    sandbox.rule("Review", {"write": ".gump/out/artifact.txt", "text": "fine"})
    sandbox.workflow(WORKFLOW)
    assert sandbox.run() == {"Plan": 1, "Build": 2, "gate": 2, "Review": 1}
    shutil.rmtree(sandbox.repo / ".gump/worktrees")
    return sandbox


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


def test_nothing_changed_means_nothing_called_and_no_worktree(ship: Sandbox):
    first = ship.events("run_completed")[0]["tree"]
    assert ship.run() == {}
    assert not (ship.repo / ".gump/worktrees").exists()
    assert ship.events("run_completed")[0]["tree"] == first
    assert ship.state()["plan/a/impl.cached"] == "true"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: ship\n", "# a comment\nname: ship\nmax_budget: 5\nmax_timeout: 1h\n"),
        ("  - name: plan\n    type: split\n", "  - type: split\n    name: plan\n"),
        (
            "    agent: offline\n    gate: [schema]",
            "    agent: offline\n    guard: {max_turns: 50}\n    gate: [schema]",
        ),
        ('prompt: "Review', 'retry: [{exit: 3}]\n    prompt: "Review'),
    ],
    ids=["comment and budget", "order of keys", "guard", "retry that took no part"],
)
def test_what_is_not_in_a_key_calls_nobody(ship: Sandbox, old: str, new: str):
    ship.workflow(changed(WORKFLOW, old, new))
    assert ship.run() == {}


def test_a_new_prompt_runs_its_step_and_no_dependant_of_an_equal_output(ship: Sandbox):
    ship.workflow(changed(WORKFLOW, "Plan: {spec}", "Plan it: {spec}"))
    ship.rule("unused")
    ship.rules[0]["when"] = ["Plan it"]
    ship.rule("unused")
    assert ship.run() == {"Plan": 1}


def test_a_new_output_runs_its_dependants(ship: Sandbox):
    ship.workflow(changed(WORKFLOW, "Build {task.description}", "Build again {task.description}"))
    ship.rule("Build again task-a", {"write": "out-a.txt", "text": "better\n"}, when=["again task-a"])
    ship.rule("Build again task-b", {"write": "out-b.txt", "text": "b\n"}, when=["again task-b"])
    assert ship.run() == {"Build": 2, "gate": 2, "Review": 1}


def test_a_new_spec_with_the_same_tasks_runs_the_split_alone(ship: Sandbox):
    ship.write(spec_dot_md="another spec\n")
    assert ship.run() == {"Plan": 1}


def test_a_new_task_runs_its_own_steps_alone(ship: Sandbox):
    ship.write(spec_dot_md="another spec\n")
    more = TASKS[:-1] + ', {"name": "c", "description": "task-c"}]'
    ship.rules[0]["do"][1]["text"] = more
    ship.rule("Build task-c", {"write": "out-c.txt", "text": "c\n"})
    assert ship.run() == {"Plan": 1, "Build": 1, "gate": 1, "Review": 1}


def test_a_committed_file_runs_what_starts_from_it(ship: Sandbox):
    ship.commit({"src/new.py": "x = 1\n"})
    assert ship.run() == {"Plan": 1, "Build": 2, "gate": 2, "Review": 1}


def test_a_new_gate_judges_the_stored_result(ship: Sandbox):
    gate = '          - bash: "echo gate'
    ship.workflow(changed(WORKFLOW, gate, '          - bash: "echo new >> $COUNTED"\n' + gate))
    assert ship.run() == {"new": 2}
    assert ship.run() == {}


def test_the_agent_is_called_when_the_stored_result_fails_a_new_gate(ship: Sandbox):
    gate = '          - bash: "echo gate'
    ship.workflow(changed(WORKFLOW, gate, '          - bash: "test ! -e out-b.txt"\n' + gate))
    assert ship.run(code=1) == {"Build": 1}
    assert "does not pass the gate bash" in ship.events("step_started")[0]["reason"]


def test_a_gate_that_only_looks_at_the_change_runs_nothing(ship: Sandbox):
    gate = '          - bash: "echo gate'
    ship.workflow(changed(WORKFLOW, gate, '          - touched: "out-*.txt"\n' + gate))
    assert ship.run() == {}
    assert not (ship.repo / ".gump/worktrees").exists()


def test_a_gate_without_cache_always_runs(ship: Sandbox):
    ship.workflow(changed(WORKFLOW, 'out-*.txt"', 'out-*.txt"\n            cache: false'))
    assert [ship.run(), ship.run()] == [{"gate": 2}, {"gate": 2}]


def test_a_step_without_cache_always_runs(ship: Sandbox):
    ship.workflow(changed(WORKFLOW, "    gate: [schema]", "    gate: [schema]\n    cache: false"))
    assert [ship.run(), ship.run()] == [{"Plan": 1}, {"Plan": 1}]


def test_from_runs_a_step_and_what_takes_something_from_it(ship: Sandbox):
    assert ship.run("--from", "plan/b/impl") == {"Build": 1, "gate": 1, "Review": 1}


def test_force_runs_everything_gates_too(ship: Sandbox):
    assert ship.run("--force") == {"Plan": 1, "Build": 2, "gate": 2, "Review": 1}
    assert ship.run() == {}


def test_recheck_runs_gates_alone(ship: Sandbox):
    assert ship.run("--recheck") == {"gate": 2}


def test_another_agent_is_another_call(ship: Sandbox):
    assert ship.run("--agent", "offline-small") == {"Plan": 1, "Build": 2, "Review": 1}
    assert ship.run() == {}


def test_only_passing_results_are_stored(sandbox: Sandbox):
    sandbox.rule("Do", {"write": "x.txt", "text": "x"})
    sandbox.workflow(
        'name: w\nsteps:\n  - {name: s, type: code, prompt: Do it, agent: offline, gate: [{bash: "false"}]}\n'
    )
    assert [sandbox.run(code=1), sandbox.run(code=1)] == [{"Do": 1}, {"Do": 1}]


def test_equal_calls_of_one_run_are_kept_apart(sandbox: Sandbox):
    sandbox.rule("Think", {"write": ".gump/out/artifact.txt", "text": "thought"})
    sandbox.workflow(
        "name: w\nsteps:\n"
        "  - {name: a, type: artifact, prompt: Think, agent: offline}\n"
        "  - {name: b, type: artifact, prompt: Think, agent: offline}\n"
    )
    assert [sandbox.run(), sandbox.run()] == [{"Think": 2}, {}]


def test_a_file_of_ours_that_a_step_changes_counts_for_the_next(sandbox: Sandbox):
    sandbox.rule("Plan one", {"write": "spec.md", "text": "one\n"})
    sandbox.rule("Plan two", {"write": "spec.md", "text": "two\n"})
    sandbox.rule("Build", {"run": "cp spec.md built.txt"})
    text = (
        "name: w\nsteps:\n"
        "  - {name: plan, type: code, prompt: Plan one, agent: offline}\n"
        "  - {name: build, type: code, prompt: Build, agent: offline}\n"
    )
    sandbox.workflow(text)
    sandbox.run()
    assert sandbox.result("built.txt") == "one"
    sandbox.workflow(text.replace("one", "two"))
    assert sandbox.run() == {"Plan": 1, "Build": 1}
    assert sandbox.result("built.txt") == "two"


def test_a_session_of_another_call_is_another_session(sandbox: Sandbox):
    """The code is the same again, but what was said in the session is not."""
    sandbox.rule("Look at one", {"say": "seen"})
    sandbox.rule("Look at two", {"say": "seen"})
    sandbox.rule("Go on", {"write": "x.txt", "text": "x"}, resumed=True)
    text = (
        "name: w\nsteps:\n"
        "  - {name: look, type: code, prompt: Look at one, agent: offline}\n"
        "  - {name: act, type: code, prompt: Go on, agent: offline, session: {from: look}}\n"
    )
    sandbox.workflow(text)
    assert [sandbox.run(), sandbox.run()] == [{"Look": 1, "Go": 1}, {}]
    sandbox.workflow(text.replace("one", "two"))
    assert sandbox.run() == {"Look": 1, "Go": 1}


def test_the_cache_can_be_turned_off(ship: Sandbox):
    ship.write(gump_dot_toml="[cache]\nenabled = false\n")
    everything = {"Plan": 1, "Build": 2, "gate": 2, "Review": 1}
    assert [ship.run(), ship.run()] == [everything, everything]


def test_an_agents_settings_are_part_of_what_it_is(sandbox: Sandbox):
    config = '[agents.mine]\ncommand = ["sh", "-c", "cat > /dev/null; echo call >> $COUNTED; echo $TONE > x.txt"]\n'
    sandbox.workflow("name: w\nsteps:\n  - {name: s, type: code, prompt: Do, agent: mine}\n")
    sandbox.write(gump_dot_toml=config + 'env = { TONE = "calm" }\n')
    assert [sandbox.run(), sandbox.run()] == [{"call": 1}, {}]
    sandbox.write(gump_dot_toml=config + 'env = { TONE = "loud" }\n')
    assert sandbox.run() == {"call": 1}
    assert sandbox.result("x.txt") == "loud"


def test_the_plan_says_what_the_run_does(ship: Sandbox):
    assert "nothing to run" in ship.gumpc("plan", "wf.yaml", "--spec", "spec.md", code=0).stdout
    ship.workflow(changed(WORKFLOW, "Review {", "Review it {"))
    lines = ship.gumpc("plan", "wf.yaml", "--spec", "spec.md", code=0).stdout.splitlines()
    assert [line.split()[0] for line in lines if " review" in line] == ["run"]
    assert ship.run() == {"Review": 1}


def test_a_gate_that_is_renamed_keeps_its_verdict_and_gets_its_name(ship: Sandbox):
    ship.workflow(changed(WORKFLOW, 'out-*.txt"', 'out-*.txt"\n            as: clean'))
    assert ship.run() == {}
    assert ship.state()["plan/a/impl.gate.clean"] == "true"
