"""The offline agent as it runs: a real process in a real directory, read by its adapter."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from gumpc.agent_names import resolve_agent
from gumpc.config import Config, load
from runtime.agents.offline import OfflineAdapter
from runtime.agents.protocol import (
    AgentEvent,
    Failed,
    Launch,
    Outcome,
    Said,
    SessionSeen,
    Spent,
    ToolUsed,
    Turn,
    Usage,
    Wrote,
)
from runtime.agents.registry import adapter_for

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
Action = dict[str, object]


class Bench:
    """A directory to work in, and a script outside of it."""

    def __init__(self, folder: Path) -> None:
        self.script = folder / "script.json"
        self.work = folder / "work"
        self.work.mkdir()

    def rules(self, *rules: Action) -> None:
        self.script.write_text(json.dumps({"rules": rules}))

    def call(
        self,
        prompt: str = "do it",
        *,
        model: str | None = None,
        session: str | None = None,
        environment: dict[str, str] | None = None,
    ) -> tuple[list[AgentEvent], Outcome]:
        adapter = OfflineAdapter(str(self.script))
        launch = Launch(prompt, str(self.work), model, session)
        started = adapter.invocation(launch, {"PATH": os.environ["PATH"], **(environment or {})})
        done = subprocess.run(
            started.argv,
            input=started.stdin,
            env=dict(started.environment),
            cwd=self.work,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert b"Traceback" not in done.stderr
        parser = adapter.parser(launch)
        events = [event for line in done.stdout.splitlines() for event in parser.feed(line)]
        return events, parser.outcome(exit_code=done.returncode, stderr=done.stderr.decode())

    def does(self, *actions: Action) -> tuple[list[AgentEvent], Outcome]:
        self.rules({"do": actions})
        return self.call()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_it_edits_files_and_tells_of_each_before(bench: Bench) -> None:
    (bench.work / "old.txt").write_text("old")
    (bench.work / "a.py").write_bytes(b"x = 1\r\ny = 1\r\n")
    events, outcome = bench.does(
        {"write": ".gump/out/plan.json", "text": "[]"},
        {"append": "log/notes.txt", "text": ["one", "two"]},
        {"replace": "a.py", "old": "x = 1", "new": "x = 2"},
        {"delete": "old.txt"},
        {"run": "echo é > ran.txt"},
        {"say": "All done."},
    )
    assert outcome.failure is None, outcome.message
    assert outcome.text == "All done."
    assert (bench.work / ".gump/out/plan.json").read_text() == "[]"
    assert (bench.work / "log/notes.txt").read_text() == "one\ntwo\n"
    assert (bench.work / "a.py").read_bytes() == b"x = 2\r\ny = 1\r\n"
    assert (bench.work / "ran.txt").read_text(encoding="utf-8") == "é\n"
    assert not (bench.work / "old.txt").exists()
    assert [event.path for event in events if isinstance(event, Wrote)] == [
        ".gump/out/plan.json",
        "log/notes.txt",
        "a.py",
        "old.txt",
    ]
    assert ToolUsed("Bash", "echo é > ran.txt") in events
    assert Said("All done.") in events
    assert outcome.turns == len([event for event in events if isinstance(event, Turn)]) == 6


def test_the_first_rule_that_fits_prompt_and_model_is_carried_out(bench: Bench) -> None:
    bench.rules(
        {"when": ["cart", "test"], "unless": "failed", "do": [{"say": "cart test"}]},
        {"when": "cart", "model": "small", "do": [{"say": "small cart"}]},
        {"when": "cart", "model": ["large", "huge"], "do": [{"say": "large cart"}]},
        {"do": [{"say": "anything"}]},
    )
    said = {
        "test the cart": "cart test",
        "test the cart: it failed": "anything",
        "cart": "anything",
    }
    assert {prompt: bench.call(prompt)[1].text for prompt in said} == said
    assert bench.call("cart", model="small")[1].text == "small cart"
    assert bench.call("cart", model="huge")[1].text == "large cart"


def test_a_prompt_that_no_rule_fits_fails_and_is_shown(bench: Bench) -> None:
    bench.rules({"when": "cart", "do": []})
    _, outcome = bench.call("Write the docs\nfor the API", model="small")
    assert outcome.failure == "cli_usage"
    assert "Write the docs\nfor the API" in outcome.message
    assert "`small`" in outcome.message


def test_a_session_keeps_its_id_and_rules_can_tell(bench: Bench) -> None:
    bench.rules(
        {"resumed": True, "do": [{"say": "again"}]},
        {"resumed": False, "do": [{"say": "first"}]},
    )
    events, first = bench.call()
    assert isinstance(events[0], SessionSeen)
    assert first.text == "first"
    _, again = bench.call(session=first.session_id)
    assert (again.text, again.session_id) == ("again", first.session_id)
    assert bench.call()[1].session_id != first.session_id


def test_usage_is_made_up_from_the_texts_and_the_model(bench: Bench) -> None:
    bench.rules({"do": [{"say": "one"}, {"say": "two"}]})
    events, small = bench.call("p" * 4000, model="small")
    _, large = bench.call("p" * 4000, model="large")
    assert small.usage == large.usage
    assert small.usage.input == 2 * 1001
    assert small.cost is not None
    assert large.cost is not None
    assert 0 < small.cost < large.cost
    assert small.model == "offline-small"
    totals = [event.usage.total for event in events if isinstance(event, Spent)]
    assert totals == sorted(totals)
    assert len(totals) == 2


def test_a_usage_of_the_script_is_the_only_one(bench: Bench) -> None:
    part: Action = {"usage": {"input": 900, "output": 40, "cost": 0.02}}
    _, outcome = bench.does(part, {"say": "x"}, part)
    assert (outcome.usage, outcome.cost) == (Usage(1800, 80), pytest.approx(0.04))
    _, unpriced = bench.does(part, {"usage": {"input": 1}})
    assert (unpriced.usage, unpriced.cost) == (Usage(901, 40), None)


def test_it_fails_as_it_is_told(bench: Bench) -> None:
    events, outcome = bench.does(
        {"write": "a", "text": "kept"},
        {"fail": "come back later", "kind": "rate_limit", "exit": 7, "reset_in": 3600},
        {"write": "b", "text": "never"},
    )
    assert (outcome.failure, outcome.message) == ("rate_limit", "come back later")
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert failed.fatal
    assert failed.reset_at is not None
    assert (bench.work / "a").exists()
    assert not (bench.work / "b").exists()


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ({"run": "echo broken >&2; exit 3"}, "exited with 3: broken"),
        ({"replace": "a.py", "old": "x", "new": "y"}, "2 times"),
        ({"replace": "a.py", "old": "", "new": "y"}, "0 times"),
        ({"replace": "missing.py", "old": "x", "new": "y"}, "No such file"),
        ({"replace": "binary", "old": "x", "new": "y"}, "decode"),
        ({"delete": "missing.py"}, "No such file"),
        ({"write": "a.py/b", "text": ""}, "exists"),
    ],
)
def test_an_action_that_cannot_be_done_fails_the_call(bench: Bench, action: Action, words: str) -> None:
    (bench.work / "a.py").write_text("x x")
    (bench.work / "binary").write_bytes(b"\xff")
    _, outcome = bench.does(action)
    assert outcome.failure == "agent_error"
    assert words in outcome.message


@pytest.mark.parametrize("path", ["../out.txt", "/tmp/out.txt", "a/../../out.txt", "link/out.txt", ".", ""])
def test_a_path_that_leaves_the_directory_is_refused(bench: Bench, path: str) -> None:
    outside = bench.work.parent / "outside"
    outside.mkdir()
    (bench.work / "link").symlink_to(outside)
    _, outcome = bench.does({"write": path, "text": "x"})
    assert outcome.failure == "agent_error"
    assert "refused" in outcome.message
    assert list(outside.iterdir()) == []
    assert not (bench.work.parent / "out.txt").exists()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("[]", 'expected {"rules"'),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"rules": [{}]}', "rules[0]: expected an object with `do`"),
        ('{"rules": [{"do": 1}]}', "rules[0].do: expected a list of actions"),
        ('{"rules": [{"do": [], "wen": ""}]}', "unknown key `wen`"),
        ('{"rules": [{"do": [], "when": [3]}]}', "rules[0].when: expected a text or a list"),
        ('{"rules": [{"do": [{"wirte": "x"}]}]}', "rules[0].do[0]: expected an object with one of write"),
        ('{"rules": [{"do": [{"write": "x"}]}]}', "needs `text`"),
        ('{"rules": [{"do": [{"write": "x", "text": 1}]}]}', "rules[0].do[0].text"),
        ('{"rules": [{"do": [{"write": "\\u0000", "text": ""}]}]}', "rules[0].do[0].write"),
        ('{"rules": [{"do": [{"say": "x", "run": "y"}]}]}', "with one of"),
        ('{"rules": [{"do": [{"sleep": -1}]}]}', "0 or more"),
        ('{"rules": [{"do": [{"usage": {"tokens": 1}}]}]}', "do[0].usage"),
        ('{"rules": [{"do": [{"fail": "x", "exit": 0}]}]}', "exit code from 1"),
    ],
)
def test_a_faulty_script_is_refused_whole_with_its_place(bench: Bench, script: str, words: str) -> None:
    bench.script.write_text(script)
    _, outcome = bench.call()
    assert outcome.failure == "cli_usage"
    assert words in outcome.message
    assert list(bench.work.iterdir()) == []


def test_without_a_script_it_says_where_to_name_one(bench: Bench) -> None:
    _, outcome = bench.call()
    assert "cannot be read" in outcome.message
    adapter = OfflineAdapter()
    assert "GUMP_OFFLINE_SCRIPT" not in adapter.invocation(Launch("", "/", None), {}).environment


def test_the_variable_wins_over_the_config_and_is_made_absolute(bench: Bench, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"rules": [{"do": [{"say": "other"}]}]}')
    bench.rules({"do": [{"say": "config"}]})
    environment = {"GUMP_OFFLINE_SCRIPT": os.path.relpath(other)}
    assert bench.call(environment=environment)[1].text == "other"


def test_a_speed_that_is_no_number_is_refused_and_a_great_one_costs_no_time(bench: Bench) -> None:
    bench.rules({"do": [{"say": "x"}]})
    assert bench.call(environment={"GUMP_OFFLINE_SPEED": "1000"})[1].failure is None
    assert "GUMP_OFFLINE_SPEED" in bench.call(environment={"GUMP_OFFLINE_SPEED": "fast"})[1].message


def test_nothing_in_its_directory_or_environment_changes_the_program(bench: Bench) -> None:
    (bench.work / "json.py").write_text("raise SystemExit('planted')")
    bench.rules({"do": [{"say": "unharmed"}]})
    assert bench.call(environment={"PYTHONPATH": str(bench.work)})[1].text == "unharmed"


def test_the_registry_gives_it_the_script_of_the_config(bench: Bench) -> None:
    config = load(project='[agents.offline]\nscript = "x.json"', user=None, environment={}, project_file="/r/gump.toml")
    for name in ("offline", "offline-small"):
        spec = resolve_agent(name, config)
        assert spec is not None
        adapter = adapter_for(spec, config)
        started = adapter.invocation(Launch("", "/", spec.model), {})
        assert started.environment["GUMP_OFFLINE_SCRIPT"] == "/r/x.json"
        assert (started.argv[-2:] == ("--model", "small")) == (name == "offline-small")
        assert adapter.find({}) == started.argv[0]
    assert resolve_agent("offline-anything", Config()) is not None


def test_the_example_of_the_page_works(bench: Bench) -> None:
    example = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    bench.script.write_text(example[1])
    assert bench.call("Plan the work of the spec")[1].failure is None
    assert json.loads((bench.work / ".gump/out/plan.json").read_text())[0]["name"] == "greet"
    assert bench.call("say hello", model="small")[1].text == "Done."
    _, fixed = bench.call("say hello\ntests failed: helo", model="small")
    assert (bench.work / "hello.py").read_text() == "print('hello')\n"
    assert fixed.cost == pytest.approx(0.02)
