"""Streams of Claude Code, sound and damaged, against what each has to come out as.

`streams/claude/index.json` holds, for each stream, how its process ended and what a correct reading gives. The
damaged ones hold no expectation but the two that matter: no exception, and never a success that was not one.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from runtime.agents.claude import ClaudeAdapter
from runtime.agents.meter import Meter
from runtime.agents.prices import PRICES, Price, cost
from runtime.agents.protocol import AgentEvent, Failed, Finished, Launch, Outcome, Spent, ToolUsed, Usage, Wrote

STREAMS = Path(__file__).parent / "streams" / "claude"
INDEX: dict[str, Any] = json.loads((STREAMS / "index.json").read_text(encoding="utf-8"))
NEW = Launch(prompt="", directory="/repo", model="sonnet")


def read(
    lines: Iterable[bytes], *, exit_code: int | None = 0, stderr: str = "", launch: Launch = NEW
) -> tuple[list[AgentEvent], Outcome]:
    parser = ClaudeAdapter().parser(launch)
    events = [event for line in lines for event in parser.feed(line)]
    return events, parser.outcome(exit_code=exit_code, stderr=stderr)


def lines_of(name: str) -> list[bytes]:
    return (STREAMS / f"{name}.jsonl").read_bytes().splitlines()


def read_stream(name: str) -> tuple[list[AgentEvent], Outcome, dict[str, Any]]:
    case = INDEX[name]
    events, outcome = read(lines_of(name), exit_code=case["exit_code"], stderr=case["stderr"])
    return events, outcome, case["expect"]


@pytest.mark.parametrize("name", INDEX)
def test_outcome_of_each_stream(name: str) -> None:
    _, outcome, expect = read_stream(name)
    assert (outcome.failure or "ok") == expect["status"]
    for key in ("session_id", "turns", "model", "text", "structured"):
        if key in expect:
            assert getattr(outcome, key) == expect[key], key
    if "usage" in expect:
        assert outcome.usage == Usage(**expect["usage"])
    if "cost_usd" in expect:
        assert outcome.cost == pytest.approx(expect["cost_usd"])


@pytest.mark.parametrize("name", INDEX)
def test_events_of_each_stream(name: str) -> None:
    events, outcome, expect = read_stream(name)
    if "writes" in expect:
        assert [event.path for event in events if isinstance(event, Wrote)] == expect["writes"]
    if "write_attempts" in expect:
        assert [event.path for event in events if isinstance(event, ToolUsed) and event.path] == expect[
            "write_attempts"
        ]
    if "commands" in expect:
        assert [event.command for event in events if isinstance(event, ToolUsed) and event.command] == expect[
            "commands"
        ]
    if "denied" in expect:
        assert [event.message.split()[0] for event in events if isinstance(event, Failed)] == expect["denied"]
    told = [event for event in events if isinstance(event, Finished)]
    assert all(event.usage == outcome.usage or outcome.failure == "killed" for event in told)


@pytest.mark.parametrize("name", [name for name, case in INDEX.items() if case["expect"]["status"] != "ok"])
def test_a_failure_says_what_to_do(name: str) -> None:
    _, outcome, _ = read_stream(name)
    told, _, remedy = outcome.message.partition(". ")
    assert told
    assert remedy.endswith(".")


def test_a_killed_call_reports_what_it_spent() -> None:
    _, outcome, _ = read_stream("killed")
    # msg_a1 was told three times and msg_a2 once: 14 + 9 tokens in, 5200 + 740 written to the cache, 5200 read.
    assert outcome.usage == Usage(input=23, output=4, cache_read=5200, cache_write=5940)
    assert outcome.cost == pytest.approx((23 * 2 + 4 * 10 + 5200 * 0.1 + 5940 * 2.5) / 1e6)


def test_an_interrupted_call_counts_the_message_that_its_result_leaves_out() -> None:
    _, outcome, _ = read_stream("interrupted")
    assert outcome.usage == Usage(input=23, output=4, cache_read=5200, cache_write=5940)
    assert outcome.cost == pytest.approx((23 * 2 + 4 * 10 + 5200 * 0.1 + 5940 * 2.5) / 1e6)


def test_our_own_kill_comes_before_a_result() -> None:
    _, outcome = read(lines_of("ok"), exit_code=None)
    assert outcome.failure == "killed"
    assert outcome.cost == pytest.approx(0.020917)


def test_a_success_with_a_bad_exit_code_is_none() -> None:
    assert read(lines_of("ok"), exit_code=1)[1].failure == "agent_error"
    assert read(lines_of("ok"), exit_code=137)[1].failure == "killed"


@pytest.mark.parametrize(
    "change", [{"is_error": None}, {"is_error": "false"}, {"subtype": "error_new"}, {"subtype": 1}]
)
def test_a_result_must_say_that_it_is_none_of_an_error(change: dict[str, object]) -> None:
    *told, last = lines_of("ok")
    assert read([*told, json.dumps(json.loads(last) | change).encode()])[1].failure == "agent_error"


def test_a_byte_order_mark_hides_no_line() -> None:
    assert read([b"\xef\xbb\xbf" + line for line in lines_of("ok")]) == read(lines_of("ok"))


def test_texts_can_be_written_to_a_file_whatever_they_held() -> None:
    *told, last = lines_of("structured")
    lone = json.loads(last) | {"result": "a \ud800 b", "structured_output": {"comments": "\udfff"}}
    _, outcome = read([*told, json.dumps(lone).encode()])
    assert (outcome.text, outcome.structured) == ("a ? b", {"comments": "?"})


def test_a_call_of_an_unpriced_model_has_no_cost_rather_than_none_at_all() -> None:
    told = [line.replace(b"claude-sonnet-5-5", b"claude-unheard-of") for line in lines_of("killed")]
    _, outcome = read(told, exit_code=143)
    assert outcome.usage.total > 0
    assert outcome.cost is None


def test_usage_never_shrinks_while_a_call_runs() -> None:
    events, outcome, _ = read_stream("ok")
    totals = [event.usage.total for event in events if isinstance(event, Spent)]
    assert totals == sorted(totals)
    assert totals[-1] <= outcome.usage.total


def test_an_older_cli_that_tells_the_session_only() -> None:
    *told, last = lines_of("resume")
    result = json.loads(last)
    del result["model_usage_since_last_result"]
    resumed = Launch(prompt="", directory="/repo", model="sonnet", session_id=result["session_id"])
    _, outcome = read([*told, json.dumps(result).encode()], launch=resumed)
    assert outcome.usage == Usage(input=7, output=50, cache_read=6250, cache_write=200)
    assert outcome.cost is not None
    assert outcome.cost < 0.01  # the session's total is 0.0226; what was seen of this call is priced from the table


def test_partial_messages_tell_the_output_of_a_call_that_never_ends() -> None:
    start = {"id": "m1", "model": "claude-sonnet-5-5", "usage": {"input_tokens": 1000, "output_tokens": 1}}
    told = [
        {"type": "stream_event", "event": {"type": "message_start", "message": start}, "parent_tool_use_id": None},
        {"type": "assistant", "message": {**start, "content": []}, "parent_tool_use_id": None, "uuid": "a"},
        {
            "type": "stream_event",
            "event": {"type": "message_delta", "usage": {"output_tokens": 500}},
            "parent_tool_use_id": None,
            "api_message_id": "m1",
        },
    ]
    _, outcome = read([json.dumps(each).encode() for each in told], exit_code=None)
    assert outcome.turns == 1
    assert outcome.usage == Usage(input=1000, output=500)
    assert outcome.cost == pytest.approx((1000 * 2 + 500 * 10) / 1e6)


def test_a_spent_subscription_says_when_it_resets() -> None:
    window = {"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "resetsAt": 1795262400}}
    told = lines_of("rate_limit")
    events, outcome = read([*told[:-2], json.dumps(window).encode(), *told[-2:]], exit_code=1)
    assert outcome.failure == "quota"
    assert outcome.reset_at == 1795262400
    assert any(isinstance(event, Failed) and event.kind == "rate_limit" and not event.fatal for event in events)


def test_work_left_in_the_background_adds_its_own_result() -> None:
    told = lines_of("ok")
    second = json.loads(told[-1]) | {"uuid": "u-end-2", "result": "And the subagent is done."}
    _, outcome = read([*told, json.dumps(second).encode()])
    assert outcome.usage.output == 2 * 412
    assert outcome.cost == pytest.approx(2 * 0.020917)
    assert outcome.text == "And the subagent is done."


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/repo/a/../b.py", "b.py"),
        ("b.py", "b.py"),
        ("/repository/b.py", "/repository/b.py"),
        ("../b.py", "/b.py"),
        ("/real/repo/b.py", "b.py"),
    ],
)
def test_paths_are_seen_from_the_agents_directory(path: str, shown: str) -> None:
    init = {"type": "system", "subtype": "init", "cwd": "/real/repo", "session_id": "s"}
    block = {"type": "tool_use", "id": "t", "name": "Write", "input": {"file_path": path}}
    message = {"id": "m", "model": "claude-sonnet-5-5", "content": [block]}
    done = {"type": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": "t", "content": "ok"}]}}
    told = (init, {"type": "assistant", "message": message}, done)
    events, _ = read([json.dumps(each).encode() for each in told])
    assert [event.path for event in events if isinstance(event, Wrote)] == [shown]


# --- damage ---


@pytest.mark.parametrize("name", INDEX)
def test_a_cut_stream_is_never_ok(name: str) -> None:
    whole = (STREAMS / f"{name}.jsonl").read_bytes().rstrip()
    for end in {*range(0, len(whole), 97), max(0, len(whole) - 1)}:
        for exit_code in (0, 1, 143, None):
            _, outcome = read(whole[:end].split(b"\n"), exit_code=exit_code)
            assert outcome.failure, (end, exit_code)


@pytest.mark.parametrize("name", INDEX)
def test_doubled_lines_change_nothing(name: str) -> None:
    case = INDEX[name]
    once = read(lines_of(name), exit_code=case["exit_code"], stderr=case["stderr"])
    doubled = [line for line in lines_of(name) for _ in range(2)]
    assert read(doubled, exit_code=case["exit_code"], stderr=case["stderr"]) == once


GARBAGE = (
    b"",
    b"not json at all",
    b"null",
    b"[1, 2",
    b'["array"]',
    b"\xff\xfe\x00broken",
    b'{"type": "assistant"}',
    b'{"type": ["assistant"]}',
    b'{"type": "assistant", "message": 7}',
    b'{"type": "assistant", "message": {"content": [null, 3, {"type": "tool_use"}]}}',
    b'{"type": "unknown_event"}',
    b'{"type": "system", "subtype": ["init"]}',
    b'{"type": "system", "subtype": "api_retry", "attempt": NaN, "error_status": 1e999}',
    b'{"type": "stream_event", "event": {"type": "message_delta", "usage": {"output_tokens": -5}}}',
    b'{"type": "user", "message": {"content": {"tool_use_id": "toolu_1"}}}',
    b'{"type": "rate_limit_event", "rate_limit_info": "spent"}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"type": "user", "message": {"content": [{"text": "\\ud800 lone"}]}, "n": ' + b"9" * 5000 + b"}",
)


@pytest.mark.parametrize("name", INDEX)
def test_garbage_between_the_lines_changes_no_verdict(name: str) -> None:
    case = INDEX[name]
    lines = lines_of(name)
    mixed = [line for told in lines for line in (told, *GARBAGE)]
    _, outcome = read(mixed or GARBAGE, exit_code=case["exit_code"], stderr=case["stderr"])
    if lines:
        assert (outcome.failure or "ok") == case["expect"]["status"]
    else:
        assert outcome.failure


@pytest.mark.slow
def test_mutated_bytes_never_raise_and_never_print_what_no_file_can_hold() -> None:
    chance = random.Random(20261121)
    for number, line in enumerate(_mutations(chance, 4000)):
        events, outcome = read([*lines_of("subagent")[:2], line], exit_code=chance.choice([0, 1, None]))
        told = [asdict(event) for event in (*events, outcome)]
        json.dumps(told, ensure_ascii=False, allow_nan=False).encode("utf-8")
        assert outcome.usage.total >= 0, number


def _mutations(chance: random.Random, count: int) -> Iterator[bytes]:
    lines = [line for name in INDEX for line in lines_of(name)]
    values = [b"null", b"NaN", b"-1", b"1e999", b'"\\ud800"', b"{}", b"[]", b"true", b"\xff", b"", b"9" * 400]
    for _ in range(count):
        line = chance.choice(lines)
        start = chance.randrange(len(line))
        end = min(len(line), start + chance.choice([0, 1, 5, 40]))
        yield line[:start] + chance.choice(values) + line[end:]


def test_values_of_the_wrong_type_never_raise() -> None:
    wrong: list[object] = [None, True, -1, 1.5, float("nan"), "x", "\ud800", [], {}, [[]], {"a": 1}, 10**30]
    for name in INDEX:
        for line in lines_of(name)[-4:]:
            if line.endswith(b"}"):
                for mutated in _with_each_value_replaced(json.loads(line), wrong):
                    read([json.dumps(mutated).encode()], exit_code=0)


def _with_each_value_replaced(value: Any, wrong: list[object]) -> Iterator[object]:
    """Copies of `value`, each with one thing inside it, at any depth, replaced by each of `wrong`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        for replaced in (*wrong, *_with_each_value_replaced(inner, wrong)):
            yield {**value, key: replaced} if isinstance(value, dict) else [*value[:key], replaced, *value[key + 1 :]]


@pytest.mark.slow
def test_a_line_of_20_megabytes() -> None:
    big = json.dumps(
        {
            "type": "assistant",
            "message": {
                "id": "b",
                "model": "claude-sonnet-5-5",
                "content": [{"type": "text", "text": "x" * 20_000_000}],
            },
            "parent_tool_use_id": None,
        }
    ).encode()
    told = lines_of("ok")
    _, outcome = read([*told[:-1], big, big[: len(big) // 2], told[-1]])
    assert outcome.failure is None
    assert outcome.turns == 4


# --- prices and the meter ---


def test_prices_know_releases_vendors_and_context_sizes() -> None:
    usage = Usage(input=1_000_000)
    assert cost("claude-haiku-4-5-20251001", usage) == 1
    assert cost("anthropic/claude-sonnet-5-5", usage) == 2
    assert cost("claude-opus-4-6[1m]", usage) == 5
    assert cost("claude-sonnet-5-6", usage) is None
    assert cost("gemini-3.5-flash", Usage(cache_read=1)) is None
    assert cost("claude-sonnet-5-6", usage, {**PRICES, "claude-sonnet-5-6": Price(7, 8)}) == 7


def test_the_meter_counts_a_message_once() -> None:
    meter = Meter(PRICES)
    assert meter.cost is None
    assert meter.tell("m", "claude-sonnet-5-5", Usage(10, 1))
    assert not meter.tell("m", "claude-sonnet-5-5", Usage(10, 1))
    assert meter.tell_output("m", 30)
    assert not meter.tell_output("unknown", 30)
    assert meter.usage == Usage(10, 30)


# --- the command line ---


def test_each_option_is_one_word() -> None:
    launch = Launch("hello", "/repo", "--evil", "--also", max_turns=3, max_budget=0.5)
    invocation = ClaudeAdapter().invocation(
        launch, {"PATH": "", "CLAUDECODE": "1", "CLAUDE_CODE_ENTRYPOINT": "cli", "A": "b"}
    )
    assert {"--model=--evil", "--resume=--also", "--max-turns=3", "--max-budget-usd=0.500000"} <= set(invocation.argv)
    assert "hello" not in " ".join(invocation.argv)
    assert invocation.stdin == b"hello"
    assert invocation.environment["A"] == "b"
    assert invocation.environment["DISABLE_AUTOUPDATER"] == "1"
    assert not {"CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT"} & set(invocation.environment)


def test_no_executable_is_found_in_an_empty_path(tmp_path: Path) -> None:
    assert ClaudeAdapter().find({"PATH": str(tmp_path)}) is None
    assert "npm install" in ClaudeAdapter().remedy()
