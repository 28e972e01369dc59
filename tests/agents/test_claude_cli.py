"""The real Claude Code, asked by a scripted model: what the adapter starts does what its capabilities promise."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.agents.claude import ClaudeAdapter
from runtime.agents.prices import cost
from runtime.agents.protocol import FailureKind, Launch, Usage, Wrote
from tests.agents.drive import Call, drive_claude
from tests.modelserver import Fault, ModelServer, Rule, Turn, call, say

pytestmark = [pytest.mark.agents, pytest.mark.slow]

NOBODY = "00000000-0000-4000-8000-000000000000"


Run = Callable[..., Call]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "repo"
    path.mkdir()
    (path / "old.txt").write_text("old\n")
    return path


@pytest.fixture
def run(clean_environment: dict[str, str], directory: Path) -> Run:
    """Carries out a launch, of the given prompt in `directory` unless told otherwise, and reads what it printed."""

    def carry_out(
        prompt: str, *, environment: dict[str, str] | None = None, more: Sequence[str] = (), **told: object
    ) -> Call:
        launch = replace(Launch(prompt, str(directory), "sonnet"), **told)  # type: ignore[arg-type]
        return drive_claude(launch, clean_environment if environment is None else environment, more)

    return carry_out


def write(path: str, content: str = "new\n") -> Turn:
    return Turn([call("Write", file_path=path, content=content)])


def test_a_session_that_writes_two_files(model_server: ModelServer, run: Run, directory: Path) -> None:
    usage = {
        "input_tokens": 100,
        "output_tokens": 20,
        "cache_read_input_tokens": 1000,
        "cache_creation_input_tokens": 50,
    }
    first = Turn([say("Two files."), call("Write", file_path="{cwd}/one.txt", content="1\n")], usage)
    second = Turn([call("Bash", command="echo 2 > two.txt && mkdir -p deep && touch $(echo deep)/er")], usage)
    model_server.play(Rule(["WRITE-TWO"], [first, second, Turn([say("Both are written.")], usage)]))
    done = run("WRITE-TWO " + "a prompt larger than an argument may be " * 5000)
    assert (done.outcome.failure, done.outcome.text) == (None, "Both are written.")
    assert (directory / "one.txt").read_text() == "1\n"
    assert (directory / "two.txt").read_text() == "2\n"
    assert (directory / "deep" / "er").exists()
    assert (done.written, done.used, done.outcome.turns) == (["one.txt"], ["Write", "Bash"], 3)
    assert done.outcome.model == "claude-sonnet-5-5"
    assert done.outcome.usage == Usage(input=300, output=60, cache_read=3000, cache_write=150)
    # What the CLI charges is what our table says: a vendor's new prices show up here.
    assert done.outcome.cost == pytest.approx(cost("claude-sonnet-5-5", done.outcome.usage))


def test_a_resumed_session_knows_the_first_and_costs_only_itself(model_server: ModelServer, run: Run) -> None:
    model_server.play(Rule(["FIRST"], [Turn([say("one")])]), Rule(["SECOND"], [Turn([say("two")])]))
    first = run("FIRST")
    second = run("SECOND", session_id=first.outcome.session_id)
    assert second.outcome.text == "two"
    assert second.outcome.session_id == first.outcome.session_id
    assert second.outcome.usage == first.outcome.usage == Usage(input=100, output=20)
    assert second.outcome.cost == pytest.approx(first.outcome.cost)
    assert "FIRST" in str(model_server.played[-1].body["messages"])


def test_a_forked_session_knows_the_first_and_leaves_it_as_it_was(model_server: ModelServer, run: Run) -> None:
    model_server.play(*(Rule([word], [Turn([say(word.lower())])]) for word in ("FIRST", "FORKED", "RESUMED")))
    first = run("FIRST")
    forked = run("FORKED", session_id=first.outcome.session_id, fork=True)
    assert (forked.outcome.failure, forked.outcome.text) == (None, "forked")
    assert forked.outcome.session_id not in ("", first.outcome.session_id)
    assert "FIRST" in str(model_server.played[-1].body["messages"])
    assert forked.outcome.usage == Usage(input=100, output=20)
    assert forked.outcome.cost == pytest.approx(first.outcome.cost)
    run("RESUMED", session_id=first.outcome.session_id)
    assert "FORKED" not in str(model_server.played[-1].body["messages"])


def test_read_only_writes_its_output_and_nothing_else(model_server: ModelServer, run: Run, directory: Path) -> None:
    turns = [
        Turn([call("Read", file_path="{cwd}/old.txt")]),
        Turn([call("Edit", file_path="{cwd}/old.txt", old_string="old", new_string="new")]),
        write("{cwd}/old.txt"),
        write("{cwd}/new.txt"),
        write("{cwd}/.gump/new.txt"),
        Turn([call("Bash", command="echo new > shell.txt")]),
        Turn([call("Bash", command="ls")]),
        write("{cwd}/.gump/out/validate.json", '{"pass": true, "comments": ""}'),
        Turn([say("reviewed")]),
    ]
    model_server.play(Rule(["REVIEW"], turns))
    done = run("REVIEW", read_only=True)
    assert done.outcome.failure is None
    assert done.outcome.text == "reviewed"
    assert done.written == [".gump/out/validate.json"]
    assert done.failures == [("agent_error", False)] * 4
    files = sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())
    assert files == [".gump/out/validate.json", "old.txt"]
    assert (directory / "old.txt").read_text() == "old\n"


def test_edits_outside_its_directory_are_denied(model_server: ModelServer, run: Run, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    model_server.play(Rule(["OUTSIDE"], [write(str(outside)), Turn([say("done")])]))
    done = run("OUTSIDE")
    assert not outside.exists()
    assert done.written == []
    assert done.failures == [("agent_error", False)]


def test_a_subagent_counts_for_writes_and_cost_and_not_for_turns(model_server: ModelServer, run: Run) -> None:
    task = call("Task", description="write it", prompt="SUB-JOB", subagent_type="general-purpose")
    main = Rule(["MAIN-JOB"], [Turn([task]), Turn([say("all done")])])
    model_server.play(Rule(["SUB-JOB"], [write("{cwd}/sub.txt"), Turn([say("written")])]), main)
    done = run("MAIN-JOB")
    assert (done.outcome.text, done.outcome.turns, done.written) == ("all done", 2, ["sub.txt"])
    assert done.outcome.usage == Usage(input=400, output=80)


def test_the_turn_limit(model_server: ModelServer, run: Run) -> None:
    model_server.play(Rule(["LONG"], [write("{cwd}/a"), write("{cwd}/b"), write("{cwd}/c")]))
    done = run("LONG", max_turns=2)
    assert (done.outcome.failure, done.outcome.turns) == ("max_turns", 2)
    assert done.outcome.usage == Usage(input=200, output=40)
    assert done.outcome.cost


def test_the_budget(model_server: ModelServer, run: Run) -> None:
    model_server.play(Rule(["DEAR"], [write("{cwd}/a"), write("{cwd}/b")]))
    done = run("DEAR", max_budget=0.0001)
    assert (done.outcome.failure, done.outcome.turns) == ("max_budget", 1)
    assert done.outcome.cost
    assert done.outcome.cost > 0.0001


FAULTS: dict[FailureKind, Fault] = {
    "auth": Fault(401, "authentication_error", "invalid x-api-key"),
    "model_not_found": Fault(404, "not_found_error", "model: claude-sonnet-5-5"),
    "rate_limit": Fault(429, "rate_limit_error", "slow down", {"retry-after": "1"}),
    "quota": Fault(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
    "overloaded": Fault(529, "overloaded_error", "Overloaded"),
    "context_overflow": Fault(400, "invalid_request_error", "prompt is too long: 310000 tokens > 200000 maximum"),
    "network": Fault(cut=True),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_failing_provider(kind: FailureKind, model_server: ModelServer, run: Run) -> None:
    model_server.play(Rule(["ASK"], [Turn([say("a long answer " * 50)], fault=FAULTS[kind])]))
    done = run("ASK")
    assert done.outcome.failure == kind
    assert done.failures[-1] == (kind, True)
    assert done.outcome.message.endswith(".")
    assert done.outcome.session_id


def test_a_fault_after_work_keeps_what_was_spent(model_server: ModelServer, run: Run) -> None:
    model_server.play(Rule(["ASK"], [write("{cwd}/a"), Turn(fault=FAULTS["overloaded"])]))
    done = run("ASK")
    assert done.outcome.failure == "overloaded"
    assert done.written == ["a"]
    assert done.outcome.usage == Usage(input=100, output=20)
    assert done.outcome.cost == pytest.approx(cost("claude-sonnet-5-5", done.outcome.usage))


def test_a_fault_that_goes_away(model_server: ModelServer, run: Run) -> None:
    model_server.play(Rule(["ASK"], [Turn([say("at last")], fault=Fault(529, "overloaded_error", times=1))]))
    done = run("ASK")
    assert (done.outcome.failure, done.outcome.text) == (None, "at last")
    assert done.failures == [("overloaded", False)]


def test_a_spent_subscription_tells_when_it_resets(
    model_server: ModelServer, run: Run, clean_environment: dict[str, str]
) -> None:
    headers = {
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-reset": "1795262400",
        "anthropic-ratelimit-unified-representative-claim": "five_hour",
    }
    model_server.play(Rule(["ASK"], [Turn(fault=Fault(429, "rate_limit_error", "no more", headers))]))
    subscribed = {name: value for name, value in clean_environment.items() if name != "ANTHROPIC_API_KEY"}
    done = run("ASK", environment={**subscribed, "CLAUDE_CODE_OAUTH_TOKEN": "dummy"})
    assert (done.outcome.failure, done.outcome.reset_at) == ("quota", 1795262400)


def test_not_logged_in(run: Run, clean_environment: dict[str, str]) -> None:
    done = run("ASK", environment={name: value for name, value in clean_environment.items() if "KEY" not in name})
    assert done.outcome.failure == "auth"
    assert "claude auth login" in done.outcome.message


def test_an_unknown_session(run: Run) -> None:
    assert run("ASK", session_id=NOBODY).outcome.failure == "session_not_found"
    assert run("ASK", session_id="no-uuid").outcome.failure == "session_not_found"


def test_an_option_that_the_cli_does_not_know(run: Run) -> None:
    done = run("ASK", more=["--no-such-option"])
    assert done.outcome.failure == "cli_usage"
    assert "--no-such-option" in done.outcome.message
    assert done.outcome.cost == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_killed_call_reports_what_it_had_spent(
    number: signal.Signals, model_server: ModelServer, clean_environment: dict[str, str], directory: Path
) -> None:
    model_server.play(Rule(["SLOW"], [write("{cwd}/a"), Turn([say("never")], delay=100)]))
    launch = Launch("SLOW", str(directory), "sonnet")
    adapter = ClaudeAdapter()
    start, parser = adapter.invocation(launch, clean_environment), adapter.parser(launch)
    with subprocess.Popen(
        start.argv, env=start.environment, cwd=directory, stdin=-1, stdout=-1, stderr=-1, start_new_session=True
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(start.stdin)
        process.stdin.close()
        for line in process.stdout:
            if any(isinstance(event, Wrote) for event in parser.feed(line)):
                os.killpg(process.pid, number)
        exit_code = process.wait()
    outcome = parser.outcome(exit_code=exit_code, stderr="")
    assert outcome.failure == "killed"
    assert outcome.usage == Usage(input=100, output=20)
    assert outcome.cost == pytest.approx(cost("claude-sonnet-5-5", outcome.usage))
