"""What this version does not carry out yet, told before anything starts.

The compiler and the plan know the whole language; what the executor lacks is refused here by name and place, so that
no step is silently run in another way than its file says.
"""

from __future__ import annotations

from collections.abc import Iterator

from gumpc import ir, walk
from gumpc.plan import Plan, PlanNode, bind
from gumpc.source import Span
from runtime.errors import RunError


def require_support(plan: Plan) -> None:
    """Raise RunError for the first thing in the plan that cannot be carried out."""
    for node in plan.nodes:
        for what, span in (*_lacking(node), *_lacking_joins(node, plan)):
            place = f"{span.file}:{span.line}:{span.column}"
            raise RunError(
                f"{place}: {what} is checked and planned, but not carried out by this version",
                help=f"step {node.id} cannot run; nothing was started",
            )


def _lacking(node: PlanNode) -> Iterator[tuple[str, Span]]:
    step = node.step
    if node.kind == "merge" or (isinstance(step, ir.AgentStep | ir.Group) and step.parallel):
        yield "`parallel: true`", step.span
    if isinstance(step, ir.Group) and step.gates:
        yield "a group's own `gate`", step.span
    if isinstance(step, ir.Group) and step.retry.attempts > 1:
        yield "a group's own `retry`", step.span
    if isinstance(step, ir.AgentStep):
        yield from _lacking_of_agent_step(step)
    yield from _lacking_values(step)
    if not isinstance(step, ir.Call):
        yield from (("a `validate` gate", gate.span) for gate in step.gates if gate.call)
        for policy in step.retry.by_kind:
            yield f"a policy of its own for failures of the kind `{policy.kind}`", step.span
        for entry in step.retry.all_entries:
            if entry.call or entry.restart_from or entry.replan:
                yield "`validate`, `restart_from` and `replan` in `retry`", entry.span


def _lacking_values(step: ir.Step) -> Iterator[tuple[str, Span]]:
    for reference in walk.references(step):
        target = reference.target
        if isinstance(target, ir.RunTarget) and target.name not in ("diff", "output"):
            yield f"`{reference.written}`, a total of the run,", reference.span


def _lacking_joins(node: PlanNode, plan: Plan) -> Iterator[tuple[str, Span]]:
    """References to all tasks of a group that goes over them; those of a split are joined."""
    for reference in walk.references(node.step):
        target = reference.target
        if isinstance(target, ir.StepTarget) and ir.ALL in target.path:
            before = target.path[: target.path.index(ir.ALL)]
            owner = plan.by_id.get("/".join(bind(before, frame=plan.frames[node.frame], tasks=node.tasks)))
            if owner is None or (isinstance(owner.step, ir.Group) and owner.step.over):
                yield f"`{reference.written}`, which joins the tasks of a group,", reference.span


def _lacking_of_agent_step(step: ir.AgentStep) -> Iterator[tuple[str, Span]]:
    if step.get_workflow:
        yield "`get.workflow`", step.span
    if step.hitl != "none":
        yield "`hitl`", step.span
    if step.worktree == "none":
        yield "`worktree: none`", step.span
