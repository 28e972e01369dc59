"""The runtime is killed with `kill -9`, anywhere, and goes on: nothing lost, nothing paid twice, nothing left running.

Kills come at random moments of a run, and right behind each record of its ledger: there, `tests.crash.dying` kills
itself. Behind every record of one run takes minutes, so `make test` takes every fourth; `GUMPC_KILLS=all` takes all.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from runtime.journal import load
from runtime.ledger import read
from runtime.state import RunState
from tests.flow.sandbox import Sandbox, wait_until

KILLS = 20
ROOT = Path(__file__).parents[2]
RECORDS = range(1, 64, 1 if os.environ.get("GUMPC_KILLS") == "all" else 4)
WORKFLOW = """\
name: crash
steps:
  - name: plan
    type: split
    prompt: "Plan: {spec}"
    agent: offline
    each:
      - name: impl
        type: code
        prompt: "Build {task.description}"
        agent: offline-small
        gate: [{bash: "sleep 0.05; test -e good-$(ls out-* | tail -1)"}]
        retry: [{attempt: 2, agent: offline-large}, {exit: 3}]
  - name: review
    type: validate
    prompt: "Review {/plan/*/impl.files}"
    agent: offline
  - name: quality
    gate: [{bash: "sleep 0.05; test -e good-out-b"}]
"""
TASKS = '[{"name": "a", "description": "task-a"}, {"name": "b", "description": "task-b"}]'

pytestmark = pytest.mark.slow


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return make(tmp_path)


def make(base: Path) -> Sandbox:
    """Two tasks, each with a first attempt that fails a gate; every call takes a moment, between two writes."""
    box = Sandbox.create(base)
    pause = {"sleep": 0.08}
    box.rule("Plan", pause, {"write": ".gump/out/plan.json", "text": TASKS})
    for task in "ab":
        small = [{"append": f"out-{task}", "text": "small\n"}, pause, {"append": f"out-{task}", "text": "more\n"}]
        large = [{"append": f"out-{task}", "text": "large\n"}, pause, {"write": f"good-out-{task}", "text": "good\n"}]
        box.rule(f"Build-small-{task}", *small, when=[f"Build task-{task}"], model="small")
        box.rule(f"Build-large-{task}", *large, when=[f"Build task-{task}"], model="large")
    box.rule("Review", pause, {"write": ".gump/out/validate.json", "text": '{"pass": true, "comments": "good"}'})
    box.workflow(WORKFLOW)
    return box


CALLS = {"Plan": 1, "Build-small-a": 1, "Build-large-a": 1, "Build-small-b": 1, "Build-large-b": 1, "Review": 1}


def outcome(box: Sandbox) -> tuple[object, ...]:
    """What a finished run came to, apart from times, money and sessions."""
    state = load(box.latest() / "manifest.ndjson")
    steps = [(s.id, s.phase, s.tree, len(s.attempts), [g.passed for g in s.gates]) for s in state.steps.values()]
    return (state.status, state.result_tree, sorted(steps))


def adds_up(state: RunState, box: Sandbox) -> None:
    """The report's money is what the ledger says was spent, each call counted once."""
    spent = 0.0
    for event in box.events("agent_completed", "agent_killed"):
        spent += event["cost_usd"] or 0.0
    assert state.cost == pytest.approx(spent)
    report = json.loads(box.gumpc("report", "--json", code=0).stdout)
    assert report["totals"]["cost_usd"] == pytest.approx(spent)


def resume_to_the_end(box: Sandbox, kills: int, unbroken: tuple[object, ...]) -> None:
    """Go on with a killed run and hold it to everything that is promised."""
    finished = Counter(e["step"] + str(e["attempt"]) for e in box.events("agent_completed"))
    if not is_over(box):
        box.gumpc("run", "--resume", code=0)
    assert outcome(box) == unbroken
    done = Counter(e["step"] + str(e["attempt"]) for e in box.events("agent_completed"))
    assert set(done.values()) == {1}, f"an attempt that had ended was made again: {done - finished}"
    assert box.counted().total() <= sum(CALLS.values()) + kills
    assert box.survivors() == []
    state = load(box.latest() / "manifest.ndjson")
    assert [record.seq for record in read(box.latest() / "manifest.ndjson")] == list(range(1, state.events + 1))
    adds_up(state, box)
    assert box.run() == {}, "everything that passed is found by its key"


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """What the run comes to when nobody kills it."""
    box = make(tmp_path_factory.mktemp("unbroken"))
    assert box.run() == CALLS
    return outcome(box)


@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_at_a_random_moment(sandbox: Sandbox, unbroken: tuple[object, ...], seed: int):
    moments = random.Random(seed)
    kills = moments.choice([1, 1, 2, 3])
    words = ["run", "wf.yaml", "--spec", "spec.md"]
    for _ in range(kills):
        process = sandbox.start(*words)
        wait_until(lambda process=process: began(sandbox) or process.poll() is not None)
        time.sleep(moments.uniform(0, 1.6 / kills))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if process.returncode == 0:
            break
        words = ["run", "--resume"]
    if process.returncode == -signal.SIGKILL:
        resume_to_the_end(sandbox, kills, unbroken)


def began(box: Sandbox) -> bool:
    return any((box.repo / ".gump/runs").glob("*/manifest.ndjson"))


def is_over(box: Sandbox) -> bool:
    """Whether the kill came behind the last record: there is nothing to go on with then."""
    return load(box.latest() / "manifest.ndjson").status == "passed"


def die_after(box: Sandbox, records: int, *words: str) -> int:
    """Run, or go on, until the ledger has grown by so many records; the exit code."""
    argv = [sys.executable, "-m", "tests.crash.dying", str(records), *words]
    environment = {**box.environment, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(argv, cwd=box.repo, env=environment, capture_output=True, timeout=60, check=False)
    assert ended.returncode in (0, -signal.SIGKILL), ended.stderr.decode()
    return ended.returncode


def test_killed_again_and_again(sandbox: Sandbox, unbroken: tuple[object, ...]):
    """No process lives for more than a few records: the run still comes to the same end."""
    kills, lives = 0, random.Random(0)
    words = "start"
    while die_after(sandbox, lives.choice([2, 5, 9, 12]), words) == -signal.SIGKILL and not is_over(sandbox):
        kills, words = kills + 1, "resume"
        assert kills < 100, "it makes no progress"
    assert outcome(sandbox) == unbroken
    done = Counter(e["step"] + str(e["attempt"]) for e in sandbox.events("agent_completed"))
    assert set(done.values()) == {1}
    assert sandbox.counted().total() <= sum(CALLS.values()) + kills
    adds_up(load(sandbox.latest() / "manifest.ndjson"), sandbox)
    assert sandbox.run() == {}


@pytest.mark.parametrize("record", RECORDS)
def test_killed_once_behind_one_record(sandbox: Sandbox, unbroken: tuple[object, ...], record: int):
    code = die_after(sandbox, record, "start")
    if code == 0:
        pytest.skip(f"the run has fewer than {record} records")
    resume_to_the_end(sandbox, 1, unbroken)
