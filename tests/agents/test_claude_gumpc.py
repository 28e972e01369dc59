"""One step by the real Claude Code through `gumpc run`: how each way of failing shows, costs and goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.agents.project import Project, texts
from tests.modelserver import Fault, ModelServer, Rule, Turn, call, say

pytestmark = [pytest.mark.agents, pytest.mark.slow]

FILES = {"old.txt": "old\n", "pyproject.toml": '[project]\nname = "one"\nversion = "0"\n'}
RUN = ("run", "one.yaml")
WORKFLOW = """\
name: one
steps:
  - name: write
    type: code
    agent: claude-haiku
    prompt: "ONE-STEP: write new.txt"
    guard: {max_turns: 3}
    gate: ["touched: new.txt"]
    retry:
      - exit: 2
"""
WRITE = Turn([call("Write", file_path="{cwd}/new.txt", content="new\n")])
AGAIN = "Attempt 1 failed"
"""What the prompt of a second attempt says."""

Make = Callable[..., Project]


@pytest.fixture
def project(claude_cli: Path, model_server: ModelServer, tmp_path: Path) -> Project:
    files = {**FILES, "one.yaml": WORKFLOW}
    return Project.create(tmp_path / "base", files, claude=claude_cli, url=model_server.url)


def rule(*turns: Turn, when: Sequence[str] = ("ONE-STEP",), name: str = "") -> Rule:
    return Rule(when, turns, name=name)


def good(when: str = "ONE-STEP") -> Rule:
    return rule(WRITE, Turn([say("written")]), when=[when], name="good")


def test_a_step_that_works(project: Project, model_server: ModelServer) -> None:
    model_server.play(good())
    project.gumpc(*RUN)
    (step,) = project.report()["steps"]
    assert (step["status"], step["turns"], step["attempts"][0]["model"]) == ("passed", 2, "claude-haiku-5-5")
    assert project.gumpc("apply", "--patch").stdout.startswith("diff --git a/new.txt b/new.txt")


def test_a_retry_goes_on_in_its_own_session(project: Project, model_server: ModelServer) -> None:
    model_server.play(rule(WRITE, when=[AGAIN]), rule(Turn([say("No need for a file.")])))
    project.gumpc(*RUN)
    first, second = project.report()["steps"][0]["attempts"]
    assert first["session_id"] == second["session_id"] != ""
    assert [gate["error"] for gate in first["gates"]] != [""]
    conversation = texts(model_server.played[-1].body["messages"])
    assert "No need for a file." in conversation
    assert conversation.count(AGAIN) == 1


STOPS = {
    "auth": (Fault(401, "authentication_error", "invalid x-api-key"), "claude auth login"),
    "quota": (Fault(400, "invalid_request_error", "Your credit balance is too low to use this."), "add credit"),
    "rate_limit": (Fault(429, "rate_limit_error", "slow down", {"retry-after": "1"}), "Wait a little"),
    "model_not_found": (Fault(404, "not_found_error", "model: claude-haiku-5-5"), "Choose a model"),
}


@pytest.mark.parametrize("kind", STOPS)
def test_what_is_not_the_steps_fault_pauses_the_run_with_the_remedy(
    kind: str, project: Project, model_server: ModelServer
) -> None:
    fault, remedy = STOPS[kind]
    model_server.play(rule(Turn(fault=fault)))
    done = project.gumpc(*RUN, code=3)
    assert remedy in done.stderr
    assert "resume" in done.stderr
    (paused,) = project.events("run_paused")
    assert (paused["reason"], paused["step"]) == (kind, "write")
    model_server.play(good())
    project.gumpc("run", "--resume")
    (step,) = project.report()["steps"]
    # Being paused took none of the step's attempts.
    assert (step["status"], len(step["attempts"])) == ("passed", 1)


def test_a_spent_subscription_pauses_and_says_until_when(project: Project, model_server: ModelServer) -> None:
    headers = {
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-reset": "1795262400",
        "anthropic-ratelimit-unified-representative-claim": "five_hour",
    }
    model_server.play(rule(Turn(fault=Fault(429, "rate_limit_error", "no more", headers))))
    kept = {name: value for name, value in project.environment.items() if name != "ANTHROPIC_API_KEY"}
    subscribed = replace(project, environment={**kept, "CLAUDE_CODE_OAUTH_TOKEN": "dummy"})
    done = subscribed.gumpc(*RUN, code=3)
    assert project.events("run_paused")[0]["reason"] == "quota"
    assert "It resets at 2026-11-21 12:00 UTC." in " ".join(done.stderr.split())
    assert "fewer agents at once" not in done.stderr


def test_no_login_at_all_pauses_the_run(project: Project) -> None:
    kept = {name: value for name, value in project.environment.items() if name != "ANTHROPIC_API_KEY"}
    done = replace(project, environment=kept).gumpc(*RUN, code=3)
    assert "claude auth login" in done.stderr
    assert project.report()["totals"]["cost_usd"] == 0


def test_a_cli_that_is_not_installed_starts_nothing(model_server: ModelServer, tmp_path: Path) -> None:
    files = {**FILES, "one.yaml": WORKFLOW}
    project = Project.create(tmp_path / "base", files, claude=None, url=model_server.url)
    refs = project.git("for-each-ref")
    done = project.gumpc(*RUN, code=2)
    assert "claude" in done.stderr
    assert "npm install" in done.stderr
    assert not (project.path / ".gump").exists()
    assert project.git("for-each-ref") == refs
    assert not list((project.path / ".git").glob("worktrees/*"))


def test_the_turn_limit_is_a_guard_and_takes_back_what_was_done(project: Project, model_server: ModelServer) -> None:
    litter = [Turn([call("Write", file_path=f"{{cwd}}/litter{number}", content="x")]) for number in range(9)]
    model_server.play(good(AGAIN), rule(*litter))
    project.gumpc(*RUN)
    (step,) = project.report()["steps"]
    assert [(attempt["guard"], attempt["failure"]) for attempt in step["attempts"]] == [
        ("max_turns", "guard"),
        ("", ""),
    ]
    assert project.report()["totals"]["guards"] == 1
    assert project.git("diff", "--name-only", "HEAD", project.events("run_completed")[0]["tree"]).split() == ["new.txt"]


def test_the_budget_is_a_guard_too(project: Project, model_server: ModelServer) -> None:
    project.write("one.yaml", WORKFLOW.replace("max_turns: 3", "max_budget: 0.001"))
    dear = {"input_tokens": 100_000, "output_tokens": 20}
    model_server.play(good(AGAIN), rule(replace(WRITE, usage=dear), replace(WRITE, usage=dear)))
    project.gumpc(*RUN)
    (step,) = project.report()["steps"]
    assert [attempt["guard"] for attempt in step["attempts"]] == ["max_budget", ""]
    assert step["attempts"][0]["cost_usd"] > 0.001


def test_a_stream_that_is_cut_is_a_failed_attempt(project: Project, model_server: ModelServer) -> None:
    cut = Turn([say("a long answer " * 50)], fault=Fault(cut=True))
    model_server.play(good(AGAIN), rule(cut))
    project.gumpc(*RUN)
    (step,) = project.report()["steps"]
    assert [attempt["failure"] for attempt in step["attempts"]] == ["network", ""]


def test_a_read_only_step_gives_its_output_and_changes_nothing(project: Project, model_server: ModelServer) -> None:
    project.write(
        "review.yaml",
        """\
name: review
steps:
  - name: judge
    type: validate
    agent: claude-haiku
    prompt: "REVIEW: is it good?"
    retry: [{exit: 2}]
""",
    )
    verdict = call("Write", file_path="{cwd}/.gump/out/validate.json", content='{"pass": true, "comments": "good"}')
    change = call("Bash", command="echo new > old.txt")
    model_server.play(rule(Turn([change]), Turn([verdict]), Turn([say("judged")]), when=["REVIEW"]))
    project.commit()
    project.gumpc("run", "review.yaml")
    (step,) = project.report()["steps"]
    assert (step["status"], len(step["attempts"])) == ("passed", 1)
    assert project.report()["totals"]["changes"]["files"] == 0
