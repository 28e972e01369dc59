"""Two editions, one meaning: how the edition is told, and that equal workflows become equal plans."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gumpc import ir
from gumpc.compiler import Compilation, compile_workflow
from gumpc.config_types import Config
from gumpc.ir import AgentStep, Group, RetryPolicy, Workflow
from gumpc.library import Found, Library
from gumpc.plan import make_plan
from gumpc.rules.world import World
from gumpc.tasks import Task
from tests.test_cases import CASES


def compiled(text: str) -> Compilation:
    library = Library(root=None, home=None, shown_from=CASES / "nowhere")
    return compile_workflow(
        Found("f.yaml", None, text.encode()), library=library, config=Config(), world=World(Config())
    )


def workflow_of(text: str) -> Workflow:
    found = compiled(text)
    assert found.workflow is not None, found.diagnostics
    return found.workflow


def retry_of(on_failure: str, *, session: str = "fresh") -> RetryPolicy:
    step = f"{{name: a, output: diff, agent: claude-haiku, prompt: p, session: {session}, on_failure: {on_failure}}}"
    first = workflow_of(f"name: w\nsteps:\n  - {step}\n").steps[0]
    assert isinstance(first, AgentStep)
    return first.retry


def attempts_of(policy: RetryPolicy) -> list[str]:
    """The agent in force at each attempt, as `-` while it is the step's own."""
    agents = ["-"]
    for number in range(2, policy.attempts + 1):
        found = [e.agent for e in policy.entries if e.count == number and e.agent]
        agents.append("".join(p.text for p in found[0].parts if isinstance(p, ir.Text)) if found else agents[-1])
    return agents


# --- which edition ---------------------------------------------------------------------------------------------------

OLD_MARKS = {
    "output": "{name: a, output: diff, agent: claude-haiku, prompt: p}",
    "no type": "{name: a, agent: claude-haiku, prompt: p}",
    "on_failure": "{name: a, agent: claude-haiku, prompt: p, on_failure: {retry: 1}}",
    "item": '{name: a, gate: ["bash: echo {item.name}"]}',
    "steps": '{name: a, gate: ["bash: echo {steps.b.output}"]}',
    "run": '{name: a, gate: ["bash: echo {run.cost}"]}',
}
NEW_MARKS = {
    "type": "{name: b, type: code, agent: claude-haiku, prompt: p}",
    "retry": "{name: b, agent: pass, gate: [test], retry: [{exit: 2}]}",
    "task": '{name: b, gate: ["bash: echo {task.name}"]}',
    "step.field": '{name: b, gate: ["bash: echo {c.output}"]}\n  - {name: c, gate: [test]}',
}


def mixed(*steps: str) -> list[str]:
    text = "name: w\nsteps:\n" + "".join(f"  - {step}\n" for step in steps)
    return [d.message for d in compiled(text).diagnostics if d.code == "G111"]


@pytest.mark.parametrize("new", NEW_MARKS)
@pytest.mark.parametrize("old", [mark for mark in OLD_MARKS if mark != "no type"])
def test_marks_of_both_editions_are_refused(old: str, new: str) -> None:
    (message,) = mixed(OLD_MARKS[old], NEW_MARKS[new])
    assert "(line 3) is of edition 3" in message
    assert "(line 4) of edition 4" in message


@pytest.mark.parametrize("mark", [*OLD_MARKS.values(), *NEW_MARKS.values()])
def test_marks_of_one_edition_are_not(mark: str) -> None:
    assert mixed(mark) == []


def test_a_step_without_a_type_is_a_slip_beside_edition_4() -> None:
    found = compiled(f"name: w\nsteps:\n  - {OLD_MARKS['no type']}\n  - {NEW_MARKS['type']}\n").diagnostics
    assert [d.code for d in found] == ["G101"]


def test_a_file_without_marks_is_of_edition_4() -> None:
    found = compiled("name: w\nsteps:\n  - {name: a, gate: [test]}\n  - {name: b, gate: [test], timeout: 5m}\n")
    assert [d.message for d in found.diagnostics] == ["`timeout` is a key of edition 3; this file is of edition 4"]


@pytest.mark.parametrize(("edition", "code"), [("3", "G110"), ("4", "G110")])
def test_the_root_forces_an_edition(edition: str, code: str) -> None:
    step = NEW_MARKS["type"] if edition == "3" else OLD_MARKS["output"]
    found = compiled(f"name: w\nedition: {edition}\nsteps:\n  - {step}\n").diagnostics
    assert [d.code for d in found] == [code]


# --- what each construct becomes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on_failure", "agents"),
    [
        ("{retry: 2}", ["-", "-", "-"]),
        ("{retry: 1, strategy: [same]}", ["-", "-"]),
        ("{retry: 3, strategy: [{escalate: claude-opus}]}", ["-", "claude-opus", "claude-opus", "claude-opus"]),
        (
            "{retry: 4, strategy: [same, {escalate: claude-sonnet}, {escalate: claude-opus}]}",
            ["-", "-", "claude-sonnet", "claude-opus", "claude-opus"],
        ),
        ("{retry: 4, strategy: [same: 3, escalate: claude-opus]}", ["-", "-", "-", "-", "claude-opus"]),
        (
            "{retry: 3, strategy: [{escalate: claude-sonnet}, {same: 1}, {escalate: claude-opus}]}",
            ["-", "claude-sonnet", "claude-sonnet", "claude-opus"],
        ),
    ],
)
def test_n_more_attempts_each_by_its_entry(on_failure: str, agents: list[str]) -> None:
    assert attempts_of(retry_of(on_failure)) == agents


def test_each_attempt_begins_anew_unless_its_session_goes_on() -> None:
    first = retry_of("{retry: 2, strategy: [{escalate: claude-opus}]}").entries[0]
    assert (first.count, first.reset, first.session) == (2, True, "new")
    kept = retry_of("{retry: 2, strategy: [{escalate: claude-opus}]}", session="reuse-on-retry").entries[0]
    assert (kept.count, kept.reset, kept.session) == (2, False, None)


def test_a_kind_that_is_not_listed_uses_the_policy_of_gates() -> None:
    policy = retry_of("{gate_fail: {retry: 3}, guard_fail: {retry: 1, strategy: [{escalate: claude-opus}]}}")
    assert policy.attempts == 4
    assert [(p.kind, p.attempts, len(p.entries)) for p in policy.by_kind] == [("guard", 2, 1)]


def test_without_a_policy_for_gates_their_failure_is_the_end() -> None:
    policy = retry_of("{review_fail: {retry: 2}}")
    assert (policy.attempts, policy.entries) == (1, ())
    assert [(p.kind, p.attempts) for p in policy.by_kind] == [("verdict", 3)]


RESTART = """
name: w
steps:
  - {name: plan, agent: claude-haiku, prompt: p}
  - name: build
    agent: claude-haiku
    prompt: p
    on_failure: {retry: 3, strategy: [same], restart_from: plan}
"""


def test_restarts_begin_when_the_strategy_is_at_its_end() -> None:
    build = workflow_of(RESTART).steps[1]
    assert isinstance(build, AgentStep)
    assert [(e.count, e.restart_from) for e in build.retry.entries] == [(2, None), (3, ("plan",))]


SESSIONS = """
name: w
steps:
  - {name: plan, output: plan, agent: claude-opus, prompt: p}
  - {name: one, agent: claude-haiku, prompt: p, session: reuse}
  - {name: two, agent: claude-opus, prompt: p, session: reuse}
  - name: build
    foreach: plan
    steps:
      - {name: impl, agent: claude-haiku, prompt: p, session: reuse}
      - {name: polish, agent: claude-haiku, prompt: p, session: reuse}
  - {name: last, agent: claude-haiku, prompt: p, session: {reuse: two}}
"""


def test_a_session_goes_on_from_the_last_step_of_its_agent_in_its_task() -> None:
    nodes = make_plan(workflow_of(SESSIONS)).nodes
    sources = {n.id: n.step.session.source for n in nodes if isinstance(n.step, AgentStep)}
    assert sources == {
        "plan": None,
        "one": None,
        "two": ("plan",),
        "build/@/impl": None,
        "build/@/polish": ("build", "@", "impl"),
        "last": ("two",),
    }


PROXIMITY = """
name: w
steps:
  - {name: a, output: artifact, agent: claude-haiku, prompt: p}
  - {name: b, output: artifact, agent: claude-haiku, prompt: p}
  - name: outer
    steps:
      - {name: a, output: artifact, agent: claude-haiku, prompt: p}
      - {name: only, output: artifact, agent: claude-haiku, prompt: p}
      - name: inner
        steps:
          - {name: reads, agent: claude-haiku, prompt: "{steps.a.output} {steps.b.output} {steps.only.output}"}
  - {name: reads-too, agent: claude-haiku, prompt: "{steps.a.output} {steps.only.output} {steps.reads.diff}"}
"""


def test_the_closest_scope_wins() -> None:
    steps = {n.id: n.step for n in make_plan(workflow_of(PROXIMITY)).nodes}

    def read(name: str) -> list[str]:
        step = steps[name]
        assert isinstance(step, AgentStep)
        assert step.prompt
        targets = [r.target for r in step.prompt.references]
        return ["/".join(t.path) for t in targets if isinstance(t, ir.StepTarget)]

    assert read("outer/inner/reads") == ["outer/a", "b", "outer/only"]
    assert read("reads-too") == ["a", "outer/only", "outer/inner/reads"]


def test_an_input_with_a_default_need_not_be_given() -> None:
    text = "name: w\ninputs:\n  a: {default: x}\n  b: {required: false}\n  c: {}\nsteps:\n"
    found = compiled(text + '  - {name: s, agent: claude-haiku, prompt: "{a} {b} {c}"}\n')
    assert found.diagnostics == ()
    assert found.workflow
    assert (found.workflow.inputs, found.workflow.defaults) == (("a", "b", "c"), (("a", "x"), ("b", "")))


# --- equal meaning, equal digests ------------------------------------------------------------------------------------

OLD = """
name: w
max_budget: 3
steps:
  - name: plan
    output: plan
    agent: claude-opus
    prompt: "Split {spec}"
    gate: [schema]
  - name: work
    steps:
      - name: impl
        agent: claude-haiku
        prompt: "{spec} {steps.plan.output}"
        timeout: 5m
        max_budget: 1
        gate: [test]
        on_failure: {retry: 3, strategy: [same, {escalate: claude-opus}]}
      - {name: tell, output: artifact, agent: claude-haiku, session: {reuse: impl}, prompt: "{steps.impl.diff}"}
  - {name: judge, output: review, agent: claude-opus, session: fresh, prompt: "{steps.tell.output}"}
  - {name: quality, gate: [compile, test]}
"""
NEW = """
name: w
max_budget: 3
steps:
  - name: plan
    type: split
    agent: claude-opus
    prompt: "Split {spec}"
    gate: [schema]
  - name: work
    steps:
      - name: impl
        type: code
        agent: claude-haiku
        prompt: "{spec} {plan.output}"
        guard: {max_time: 5m, max_budget: 1}
        gate: [test]
        retry:
          - {attempt: 2, session: new, worktree: reset}
          - {attempt: 3, agent: claude-opus}
          - exit: 4
      - {name: tell, type: artifact, agent: claude-haiku, session: {from: impl}, prompt: "{impl.diff}"}
  - {name: judge, type: validate, agent: claude-opus, session: new, prompt: "{work/tell.output}"}
  - {name: quality, gate: [compile, test]}
"""


def test_equal_workflows_have_equal_recipes_and_edges() -> None:
    old, new = make_plan(workflow_of(OLD)), make_plan(workflow_of(NEW))
    assert {n.id: n.recipe for n in old.nodes} == {n.id: n.recipe for n in new.nodes}
    assert old.edges == new.edges


FOREACH = """
name: w
steps:
  - {name: plan, output: plan, agent: claude-opus, prompt: "{spec}"}
  - name: build
    foreach: plan
    steps:
      - {name: impl, agent: claude-haiku, prompt: "{item.name}: {item.description}", gate: [test]}
"""
EACH = """
name: w
steps:
  - name: plan
    type: split
    agent: claude-opus
    prompt: "{spec}"
    each:
      - {name: impl, type: code, agent: claude-haiku, prompt: "{task.name}: {task.description}", gate: [test]}
"""


def test_a_foreach_is_an_each_under_other_paths() -> None:
    tasks = {"plan": (Task("x", "do x"), Task("y", "do y"))}
    old, new = make_plan(workflow_of(FOREACH), tasks), make_plan(workflow_of(EACH), tasks)
    assert [n.id for n in old.nodes] == ["plan", "build/x/impl", "build/y/impl", "build"]
    assert [n.id for n in new.nodes] == ["plan", "plan/x/impl", "plan/y/impl"]
    for left, right in zip(old.nodes, new.nodes, strict=False):
        assert isinstance(left.step, AgentStep)
        assert isinstance(right.step, AgentStep)
        assert repr(bare(left.step)) == repr(bare(right.step))


def bare(step: AgentStep) -> object:
    """A step without its path, its places and the spellings of its references."""
    targets = [p.target if isinstance(p, ir.Reference) else p for p in step.prompt.parts] if step.prompt else []
    nowhere = replace(step.span, line=0, column=0, end_line=0, end_column=0)
    gates = tuple(replace(gate, span=nowhere) for gate in step.gates)
    return targets, replace(step, path=(), prompt=None, agent=None, each=(), gates=gates, span=nowhere)


def test_a_group_over_no_task_is_over_at_once() -> None:
    nodes = make_plan(workflow_of(FOREACH), {"plan": ()}).nodes
    assert [n.id for n in nodes] == ["plan", "build"]
    assert isinstance(nodes[1].step, Group)
