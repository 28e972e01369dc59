"""Iterating over a workflow's IR: every step, and everything in a step that a rule may want to look at."""

from __future__ import annotations

from collections.abc import Iterator

from gumpc import ir


def steps(workflow: ir.Workflow) -> Iterator[ir.Step]:
    """Every step of this workflow, outer before inner, in the file's order; called workflows are not entered."""
    yield from _below(workflow.steps)


def _below(steps: tuple[ir.Step, ...]) -> Iterator[ir.Step]:
    for step in steps:
        yield step
        if isinstance(step, ir.AgentStep):
            yield from _below(step.each)
        elif isinstance(step, ir.Group):
            yield from _below(step.steps)


def invocations(step: ir.Step) -> Iterator[ir.Invocation]:
    """Every call that this very step makes: as a step, to get context, in its gates and in its retry."""
    if isinstance(step, ir.Call):
        yield step.call
        return
    if isinstance(step, ir.AgentStep) and step.get_workflow:
        yield step.get_workflow
    yield from (gate.call for gate in step.gates if gate.call)
    yield from (entry.call for entry in step.retry.all_entries if entry.call)


def agents(step: ir.Step) -> Iterator[ir.Template]:
    """Every agent that this step may run: its own and those that a retry puts in its place."""
    if isinstance(step, ir.Call):
        return
    if isinstance(step, ir.AgentStep) and step.agent:
        yield step.agent
    for entry in step.retry.all_entries:
        yield from (agent for agent in (entry.agent, entry.replan) if agent)


def literal(template: ir.Template) -> str | None:
    """The text of a template without references; None when it has any."""
    return None if template.references else "".join(p.text for p in template.parts if isinstance(p, ir.Text))


def references(step: ir.Step) -> Iterator[ir.Reference]:
    """Every reference of this very step, in its prompt, context, agent, gates, retry and calls."""
    if isinstance(step, ir.AgentStep):
        if step.prompt:
            yield from step.prompt.references
        for context in step.context:
            yield from context.path.references if isinstance(context, ir.FileContext) else context.script.values
    for agent in agents(step):
        yield from agent.references
    for call in invocations(step):
        for binding in call.inputs:
            yield from binding.value.references
    if not isinstance(step, ir.Call):
        for gate in step.gates:
            yield from gate.script.values if gate.script else ()
        for entry in step.retry.all_entries:
            yield from entry.prompt.references if entry.prompt else ()
