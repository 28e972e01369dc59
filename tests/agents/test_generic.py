"""The generic adapter against small real programs, and its parsers against what such programs may print."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from gumpc.agent_names import OFFERED, AgentSpec, resolve_agent
from gumpc.config import Config, load
from runtime.agents.claude import ClaudeAdapter
from runtime.agents.generic import GenericAdapter
from runtime.agents.prices import PRICES
from runtime.agents.protocol import (
    Adapter,
    AgentEvent,
    Failed,
    Finished,
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
from runtime.agents.registry import BUILT_IN, AgentNotOffered, adapter_for, prices_of


def configured(text: str) -> Config:
    return load(project=text, user=None, environment={})


def toml(value: object) -> str:
    """A value of a table: JSON is TOML but for its objects."""
    return json.dumps(value, separators=(",", "=")) if isinstance(value, dict) else json.dumps(value)


def agent(program: str, **table: object) -> GenericAdapter:
    """The adapter of an agent whose command is a Python program."""
    rows = {"command": [sys.executable, "-c", program], **table}
    config = configured("[agents.mine]\n" + "\n".join(f"{key} = {toml(row)}" for key, row in rows.items()))
    found = adapter_for(AgentSpec("mine", "mine", None), config)
    assert isinstance(found, GenericAdapter)
    return found


def launch(directory: Path, *, prompt: str = "do it", model: str | None = None, session: str | None = None) -> Launch:
    return Launch(prompt, str(directory), model, session)


def call(
    adapter: Adapter, wanted: Launch, environment: dict[str, str] | None = None
) -> tuple[list[AgentEvent], Outcome]:
    """What happens when `wanted` is really carried out."""
    started = adapter.invocation(wanted, environment if environment is not None else dict(os.environ))
    done = subprocess.run(
        started.argv,
        input=started.stdin,
        env=dict(started.environment),
        cwd=wanted.directory,
        capture_output=True,
        check=False,
        timeout=60,
    )
    parser = adapter.parser(wanted)
    events = [event for line in done.stdout.splitlines() for event in parser.feed(line)]
    return events, parser.outcome(exit_code=done.returncode, stderr=done.stderr.decode("utf-8", "replace"))


def read(
    lines: Iterable[bytes], *, exit_code: int | None = 0, model: str | None = None
) -> tuple[list[AgentEvent], Outcome]:
    """What the line protocol's parser makes of `lines`."""
    adapter = agent("pass", format="jsonl")
    parser = adapter.parser(Launch("", "/", model))
    events = [event for line in lines for event in parser.feed(line)]
    return events, parser.outcome(exit_code=exit_code, stderr="")


def test_a_text_agent_gets_its_prompt_on_standard_input_and_answers_on_standard_output(tmp_path: Path) -> None:
    prompt = "review --force\n" + "é" * 200_000
    adapter = agent("import sys; t = sys.stdin.buffer.read().decode(); print(len(t)); print(t[:14])")
    events, outcome = call(adapter, launch(tmp_path, prompt=prompt))
    assert outcome == Outcome(text="200015\nreview --force")
    assert events == [Said("200015"), Said("review --force")]
    assert all(prompt not in part for part in adapter.invocation(launch(tmp_path, prompt=prompt), {}).argv)


def test_a_text_agents_exit_code_is_its_verdict(tmp_path: Path) -> None:
    _, outcome = call(agent("import sys; print('partly'); sys.exit('no such project')"), launch(tmp_path))
    assert (outcome.failure, outcome.text) == ("agent_error", "partly")
    assert "no such project" in outcome.message
    _, outcome = call(agent("print('401 in the output'); raise SystemExit(3)"), launch(tmp_path))
    assert outcome.message == "the agent exited with 3: 401 in the output"
    _, outcome = call(agent("import os; os.kill(os.getpid(), 15)"), launch(tmp_path))
    assert outcome.failure == "killed"


def test_of_a_flood_the_end_is_kept() -> None:
    parser = agent("pass").parser(Launch("", "/", None))
    for _ in range(50):
        for _ in parser.feed(b"x" * 100_000):
            pass
    list(parser.feed(b"y" * 5_000_000))
    list(parser.feed(b"the answer"))
    text = parser.outcome(exit_code=0, stderr="").text
    assert text.endswith("the answer")
    assert len(text) <= 2 << 20


def test_the_environment_is_added_to_and_taken_from(tmp_path: Path) -> None:
    adapter = agent("import os; print(sorted(os.environ))", env={"ADDED": "1"}, unset_env=["TAKEN"])
    kept = {"PATH": os.environ["PATH"], "TAKEN": "1", "LC_ALL": "C.UTF-8"}
    _, outcome = call(adapter, launch(tmp_path), kept)
    assert outcome.text == "['ADDED', 'LC_ALL', 'PATH']"
    assert "TAKEN" in kept


def test_model_and_session_become_arguments(tmp_path: Path) -> None:
    adapter = agent(
        "pass",
        format="jsonl",
        resume=["mine", "--resume={session_id}"],
        model_args=["--model", "{model}"],
        model="usual",
    )
    assert adapter.capabilities.resume
    assert adapter.invocation(launch(tmp_path), {}).argv[-2:] == ("--model", "usual")
    assert adapter.invocation(launch(tmp_path, model="m{session_id}", session="s-1"), {}).argv == (
        "mine",
        "--resume=s-1",
        "--model",
        "m{session_id}",
    )


def test_an_agent_without_resume_is_never_started_afresh_in_silence(tmp_path: Path) -> None:
    adapter = agent("pass")
    assert not adapter.capabilities.resume
    with pytest.raises(ValueError, match="cannot go on"):
        adapter.invocation(launch(tmp_path, session="s-1"), {})


def test_a_program_is_found_by_path_or_not_at_all(tmp_path: Path) -> None:
    program = tmp_path / "mytool"
    program.write_text("#!/bin/sh\n")
    config = configured('[agents.mytool]\ncommand = ["mytool"]')
    adapter = adapter_for(AgentSpec("mytool", "mytool", None), config)
    assert adapter.find({"PATH": str(tmp_path)}) is None
    program.chmod(0o755)
    assert adapter.find({"PATH": str(tmp_path)}) == str(program)
    assert adapter.find({}) is None
    assert "mytool" in adapter.remedy()


def test_each_line_of_the_protocol_is_one_event() -> None:
    lines = [
        b'{"type": "session", "id": "s-1", "model": "m", "version": "2"}',
        b'{"type": "turn"}',
        b'{"type": "text", "text": "thinking"}',
        b'{"type": "tool", "name": "Bash", "command": "ls"}',
        b'{"type": "write", "path": "a.py"}',
        b'{"type": "usage", "input": 10, "output": 2, "cache_read": 5, "cost": 0.25}',
        b'{"type": "error", "kind": "rate_limit", "message": "wait", "reset_at": 99}',
        b'{"type": "later_invention"}',
        b"",
        b"plain text",
        b'{"type": "usage", "input": 20, "output": 4, "cache_read": 5, "cache_write": 1, "cost": 0.5}',
        b'{"type": "result", "text": "done", "structured": {"pass": true}}',
    ]
    events, outcome = read(lines)
    spent = Usage(20, 4, 5, 1)
    assert events == [
        SessionSeen("s-1", "m", "2"),
        Turn(),
        Said("thinking"),
        ToolUsed("Bash", "ls"),
        Wrote("a.py"),
        Spent(Usage(10, 2, 5, 0), 0.25),
        Failed("rate_limit", "wait", reset_at=99.0),
        Spent(spent, 0.5),
        Finished("done", spent, 0.5, {"pass": True}),
    ]
    assert outcome == Outcome(
        text="done", structured={"pass": True}, session_id="s-1", model="m", turns=1, usage=spent, cost=0.5
    )


RESULT = b'{"type": "result", "text": "done"}'
AUTH = b'{"type": "error", "kind": "auth", "message": "log in", "fatal": true}'
LIMIT = b'{"type": "error", "kind": "rate_limit", "message": "slow down"}'


@pytest.mark.parametrize(
    ("lines", "exit_code", "failure", "words"),
    [
        ([RESULT], 0, None, ""),
        ([LIMIT, RESULT], 0, None, ""),
        ([AUTH, RESULT], 0, "auth", "log in"),
        ([AUTH, LIMIT], 1, "auth", "log in"),
        ([LIMIT], 0, "rate_limit", "slow down"),
        ([LIMIT, RESULT], 1, "rate_limit", "slow down"),
        ([RESULT], 1, "agent_error", "exited with 1"),
        ([], 0, "protocol", "without a `result`"),
        ([b"Traceback (most recent call last):"], 0, "protocol", "Traceback"),
        ([RESULT], -9, "killed", "killed"),
        ([RESULT], None, "killed", "killed"),
        ([b'{"type": "error", "kind": "novel", "fatal": true}'], 1, "agent_error", "novel"),
    ],
)
def test_a_call_ended_well_only_with_a_result_exit_code_0_and_no_fatal_error(
    lines: list[bytes], exit_code: int | None, failure: str | None, words: str
) -> None:
    _, outcome = read(lines, exit_code=exit_code)
    assert outcome.failure == failure
    assert words in outcome.message


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"type": ["turn"]}',
        b'{"type": "session", "id": "; rm -rf /"}',
        b'{"type": "session", "id": "--help"}',
        b'{"type": "session"}',
        b"null",
        b'{"type": "usage", "input": 1' + b"0" * 10_000 + b"}",
    ],
)
def test_a_line_that_is_not_of_the_protocol_says_nothing(line: bytes) -> None:
    events, outcome = read([line, RESULT])
    assert events == [Finished("done", Usage(), None)]
    assert (outcome.failure, outcome.session_id) == (None, "")


def test_values_that_cannot_be_stored_are_dropped() -> None:
    events, outcome = read(
        [
            b'{"type": "usage", "input": -5, "output": 2.5, "cache_read": true, "cost": NaN}',
            b'{"type": "text", "text": "\\ud800"}',
            b'{"type": "result", "text": 5, "structured": {"x": Infinity}}',
        ]
    )
    assert events == [Spent(Usage(), None), Said("?"), Finished("", Usage(), None)]
    assert outcome.cost is None


def test_tokens_without_a_cost_are_priced_by_the_table() -> None:
    line = b'{"type": "usage", "input": 1000000, "output": 0}'
    _, outcome = read([line, RESULT], model="claude-opus-5-5")
    assert outcome.cost == pytest.approx(4.0)
    _, outcome = read([line, RESULT], model="nobodys-model")
    assert outcome.cost is None


def test_the_registry_offers_what_the_compiler_says_it_offers() -> None:
    assert set(BUILT_IN) == set(OFFERED)
    for name in OFFERED:
        assert adapter_for(AgentSpec(name, name, None), Config()).name == name
    assert isinstance(adapter_for(AgentSpec("claude-opus", "claude", "opus"), Config()), ClaudeAdapter)


def test_a_known_agent_without_adapter_says_what_to_do() -> None:
    spec = resolve_agent("codex-gpt54", Config())
    assert spec is not None
    with pytest.raises(AgentNotOffered, match="no adapter for codex") as raised:
        adapter_for(spec, Config())
    assert "[agents.codex]" in raised.value.remedy
    taken_over = adapter_for(spec, configured('[agents.codex]\ncommand = ["codex"]\nmodel_args = ["-m", "{model}"]'))
    assert isinstance(taken_over, GenericAdapter)


def test_prices_of_the_config_replace_list_prices() -> None:
    prices = prices_of(
        configured('[prices."claude-opus-5-5"]\ninput = 1\noutput = 2\n[prices.mine]\ninput = 3\noutput = 4')
    )
    assert (prices["claude-opus-5-5"].input, prices["mine"].output) == (1.0, 4.0)
    assert prices["claude-haiku-5-5"] == PRICES["claude-haiku-5-5"]
