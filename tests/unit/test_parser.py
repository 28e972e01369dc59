"""What the parser makes of sound files; what it says of faulty ones is in `tests/cases/err`."""

from __future__ import annotations

import pytest

from gumpc.diagnostics import Collector
from gumpc.parser import parse
from gumpc.source import Source, line_starts
from gumpc.syntax import FileText, StepSyntax, WorkflowSyntax
from gumpc.yaml_reader import read


def parse_text(text: str) -> tuple[WorkflowSyntax | None, Collector]:
    out = Collector()
    node = read(Source("f.yaml", text), out)
    assert node is not None
    return parse(node, out), out


def parse_ok(text: str) -> WorkflowSyntax:
    workflow, out = parse_text(text)
    assert out.found == []
    assert workflow is not None
    return workflow


def step_of(body: str) -> StepSyntax:
    return parse_ok(f"name: w\nsteps:\n  - name: one\n{body}").steps[0]


def codes(text: str) -> list[str]:
    return [d.code for d in parse_text(text)[1].sorted()]


FLAT = """\
    type: code
    prompt: "{spec}"
    context: [{file: a.md}, {bash: ls, required: true}]
    worktree: read-write
    session: {from: zero}
    inputs: ["src/**"]
    agent: claude-sonnet
    guard: {max_turns: 4, max_budget: 1.5, max_tokens: 10, max_time: 1h30m, no_write: true}
    hitl: after_gate
    gate: [test]
"""
BLOCKS = """\
    type: code
    get:
      prompt: "{spec}"
      context: [{file: a.md}, {bash: ls, required: true}]
      worktree: read-write
      session: {from: zero}
      inputs: ["src/**"]
    run:
      agent: claude-sonnet
      guard: {max_turns: 4, max_budget: 1.5, max_tokens: 10, timeout: 1h30m, no_write: true}
      hitl: after_gate
    gate: [test]
"""


def values(thing: object) -> object:
    """A syntax tree without its places."""
    if hasattr(thing, "__dataclass_fields__"):
        kept = [name for name in thing.__dataclass_fields__ if name not in ("span", "lines", "plain")]
        return {name: values(getattr(thing, name)) for name in kept}
    return [values(item) for item in thing] if isinstance(thing, tuple) else thing


def test_flat_keys_and_blocks_give_the_same_step() -> None:
    assert values(step_of(FLAT)) == values(step_of(BLOCKS))


def test_the_fields_of_an_agent_step() -> None:
    step = step_of(FLAT)
    assert (step.kind, step.type.value, step.agent.value, step.hitl.value) == (
        "agent",
        "code",
        "claude-sonnet",
        "after_gate",
    )
    assert [(c.kind, c.value.value, c.required) for c in step.context] == [
        ("file", "a.md", False),
        ("bash", "ls", True),
    ]
    assert (step.session.mode, step.session.target.value) == ("from", "zero")
    guard = step.guard
    assert [guard.max_turns.value, guard.max_budget.value, guard.max_tokens.value, guard.max_time.value] == [
        4,
        1.5,
        10,
        5400,
    ]
    assert guard.no_write.value is True


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("    type: artifact\n    prompt: p\n", "agent"),
        ("    gate: [test]\n", "gate"),
        ("    agent: pass\n    gate: [test]\n", "gate"),
        ("    run: {agent: pass}\n    gate: [test]\n", "gate"),
        ("    type: validate\n    agent: pass\n    gate: [test]\n", "agent"),
        ("    steps: [{name: two, gate: [test]}]\n", "group"),
        ("    workflow: other\n", "call"),
    ],
)
def test_the_kind_of_a_step_follows_from_its_keys(body: str, kind: str) -> None:
    assert step_of(body).kind == kind


@pytest.mark.parametrize(
    ("gate", "kind", "arguments"),
    [
        ("compile", "compile", []),
        ('"bash: make smoke"', "bash", ["make smoke"]),
        ("{bash: make smoke}", "bash", ["make smoke"]),
        ("bash: make smoke", "bash", ["make smoke"]),
        ('"bash: echo a: b"', "bash", ["echo a: b"]),
        ('"touched: *_test.*"', "touched", ["*_test.*"]),
        ('{untouched: ["a/**", "b"]}', "untouched", ["a/**", "b"]),
    ],
)
def test_a_gate_is_the_same_in_every_form(gate: str, kind: str, arguments: list[str]) -> None:
    found = step_of(f"    gate:\n      - {gate}\n").gates[0]
    assert (found.kind, [argument.value for argument in found.arguments]) == (kind, arguments)


def test_the_command_of_a_string_gate_is_located_behind_its_colon() -> None:
    text = "name: w\nsteps:\n  - name: one\n    gate: ['bash:  echo ''{spec}''']\n"
    command = parse_ok(text).steps[0].gates[0].arguments[0]
    assert command.value == "echo '{spec}'"
    span = command.locate(command.value.index("{"), command.value.index("}") + 1)
    begin = line_starts(text)[span.line - 1]
    assert text[begin + span.column - 1 : begin + span.end_column - 1] == "{spec}"


def test_names_and_options_of_gates() -> None:
    gates = step_of(
        "    gate:\n      - {test: , as: unit}\n      - {bash: ls, cache: false}\n      - coverage: 72.5\n"
    ).gates
    assert gates[0].name.value == "unit"
    assert [gate.cache for gate in gates] == [True, False, True]
    assert gates[2].threshold.value == 72.5


def test_the_keys_beside_a_validate_gate_are_its_inputs() -> None:
    gate = step_of(
        '    gate: [{validate: v/x, diff: "{diff}", test: t, as: mine, with: {more: 1}, cache: false}]\n'
    ).gates[0]
    assert (gate.call.workflow.value, gate.name.value, gate.cache) == ("v/x", "mine", False)
    assert [(k.value, v.value) for k, v in gate.call.inputs] == [("diff", "{diff}"), ("test", "t"), ("more", "1")]


def test_the_keys_beside_a_workflow_in_get_are_its_inputs() -> None:
    step = step_of("    type: code\n    get: {workflow: w, topic: t, prompt: p}\n")
    assert step.prompt.value == "p"
    assert [(k.value, v.value) for k, v in step.get_workflow.inputs] == [("topic", "t")]


def test_retry_entries() -> None:
    step = step_of(
        "    type: code\n    prompt: p\n    retry:\n"
        "      - {attempt: 2, prompt: {file: a.md}, session: own}\n"
        "      - {not: gate.test, agent: x}\n"
        "      - {on: guard, worktree: reset}\n"
        "      - {validate: v, with: {diff: d}, restart_from: a, replan: b}\n"
        "      - exit: 5\n"
    )
    second, named, kind, call, end = step.retry
    assert (second.condition, second.count.value, second.session.mode) == ("attempt", 2, "own")
    assert isinstance(second.prompt, FileText)
    assert second.prompt.file.value == "a.md"
    assert (named.condition, named.gate.value, named.agent.value) == ("not", "test", "x")
    assert (kind.kind.value, kind.reset) == ("guard", True)
    assert (call.call.workflow.value, call.restart_from.value, call.replan.value) == ("v", "a", "b")
    assert (end.condition, end.count.value) == ("exit", 5)


def test_the_gate_of_a_not_condition_is_located_behind_its_dot() -> None:
    entry = step_of(
        "    type: code\n    prompt: p\n    retry:\n      - {not: gate.test, agent: x}\n      - exit: 2\n"
    ).retry[0]
    assert (entry.gate.span.line, entry.gate.span.column, entry.gate.span.end_column) == (7, 20, 24)


def test_an_unquoted_reference_is_read_as_text_and_located() -> None:
    workflow, out = parse_text("name: w\nsteps:\n  - name: one\n    type: code\n    prompt: { spec }\n")
    prompt = workflow.steps[0].prompt
    assert prompt.value == "{spec}"
    assert (prompt.locate(1, 5).column, prompt.locate(5, 6).column) == (15, 20)
    (found,) = out.found
    assert (found.code, found.fix.edits[0].text, found.fix.edits[0].span) == ("G010", '"{spec}"', prompt.span)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("2h", 7200), ("1h0m5s", 3605), ("0.5s", 0.5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_ok(f"name: w\nmax_timeout: {text}\nsteps: [{{name: a, gate: [test]}}]\n").max_timeout.value == seconds


@pytest.mark.parametrize("text", ["90", "30 m", "1m1h", "h", "-5m", "５m", "1e3s", "1h30"])
def test_what_is_no_duration(text: str) -> None:
    assert codes(f'name: w\nmax_timeout: "{text}"\nsteps: [{{name: a, gate: [test]}}]\n') == ["G107"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("-1", "G106"),
        ("0", "G106"),
        (".nan", "G106"),
        ("-.inf", "G106"),
        ("nan", "G106"),
        ("Infinity", "G106"),
        ("1e999", "G106"),
        ("9" * 5000, "G106"),
        ("five", "G103"),
        ("1_000", "G103"),
        ("0x10", "G103"),
        ("[5]", "G103"),
        ("", "G103"),
    ],
)
def test_what_is_no_budget(text: str, code: str) -> None:
    assert codes(f"name: w\nmax_budget: {text}\nsteps: [{{name: a, gate: [test]}}]\n") == [code]


def test_one_slip_in_a_key_is_one_diagnostic() -> None:
    assert codes("nmae: w\nstpes:\n  - naem: one\n    tpye: code\n    promt: p\n") == ["G102"] * 5


def test_a_step_with_a_fault_is_parsed_to_its_end() -> None:
    assert codes("name: w\nsteps:\n  - name: a b\n    type: cod\n    prompt: []\n    gate: [tset]\n") == [
        "G108",
        "G104",
        "G103",
        "G104",
    ]


def test_x_keys_are_ignored_at_the_root_only() -> None:
    assert codes("x-a: {b: c}\nname: w\nsteps: [{name: a, gate: [test], x-b: c}]\n") == ["G102"]


def test_an_error_in_an_anchored_block_is_told_once() -> None:
    text = "x-s: &s {type: cod, prompt: p}\nname: w\nsteps:\n  - {name: a, <<: *s}\n  - {name: b, <<: *s}\n"
    assert codes(text) == ["G104"]
