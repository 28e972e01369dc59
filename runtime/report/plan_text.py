"""A plan as people and scripts read it before it runs: what each step's fate is and why, and what that adds up to.

Both forms are made from the outlooks, which come from the function that decides during the run. What cannot be known
yet is said as such: steps below a split that has not run stand there once, as `decompose/*/red`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from gumpc.plan import Plan
from runtime.outlook import Outlook
from runtime.report.columns import Cell, Column, Style, columns, flow
from runtime.report.figures import money, money_of, number_of, short_id, size
from runtime.report.naming import agent_name, gate_names, is_shown, shown_id, step_type

VERSION = 1

_SHAPE = (
    Column(),
    Column(rank=1, minimum=16, cut="middle"),
    Column(rank=3, minimum=13),
    Column(rank=2, minimum=21),
)
_STYLES: dict[str, Style] = {"skip": "good", "gates": "busy", "run": "warn"}


@dataclass(frozen=True, slots=True)
class PlanHeader:
    """What the plan was made for. `spec_size` is in bytes, `max_budget` the USD that the run may spend."""

    spec: str = ""
    spec_size: int | None = None
    branch: str = ""
    commit: str = ""
    is_dirty: bool = False
    max_budget: float | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """What the outlooks add up to. `per_task` holds, for each split not run yet, its steps and agent calls per task."""

    steps: int
    skipped: int
    running: int
    waiting: int
    saved: tuple[float | None, ...]
    agent_calls: int
    per_task: tuple[tuple[str, int, int], ...]


def plan_text(plan: Plan, outlooks: tuple[Outlook, ...], *, header: PlanHeader, width: int, color: bool = False) -> str:
    """The plan as a table between a line that says what of and a line that says how much; ends with a line end."""
    shown = [o for o in outlooks if is_shown(o.node)]
    totals = totals_of(outlooks)
    head = flow(_head(plan, totals, header), width=width)
    rows = columns([_row(o) for o in shown], _SHAPE, width=width, color=color)
    foot = flow(_foot(totals, header), width=width)
    return "\n".join([*head, "", *rows, *([""] if rows else []), *foot]) + "\n"


def plan_json(plan: Plan, outlooks: tuple[Outlook, ...], *, header: PlanHeader) -> dict[str, object]:
    """The same for scripts: every node, boundaries too, with the ids that `--from` and `explain` take."""
    totals = totals_of(outlooks)
    kinds: dict[tuple[str, str], list[str]] = {}
    for edge in plan.edges:
        kinds.setdefault((edge.source, edge.target), []).append(edge.kind)
    return {
        "version": VERSION,
        "workflow": plan.workflow.name,
        "spec": header.spec,
        "branch": header.branch,
        "commit": header.commit,
        "max_budget": header.max_budget,
        "nodes": [_node(o) for o in outlooks],
        "edges": [{"source": s, "target": t, "kinds": sorted(set(k))} for (s, t), k in kinds.items()],
        "totals": {
            "steps": totals.steps,
            "skip": totals.skipped,
            "run": totals.running,
            "wait": totals.waiting,
            "saved_usd": None if None in totals.saved else round(sum(s or 0.0 for s in totals.saved), 6),
            "max_agent_calls": totals.agent_calls,
            "per_task": [{"split": s, "steps": n, "max_agent_calls": calls} for s, n, calls in totals.per_task],
        },
    }


def totals_of(outlooks: tuple[Outlook, ...]) -> Totals:
    """The sums of a plan; steps of a template count for the task, not for the plan."""
    shown = [o for o in outlooks if is_shown(o.node)]
    known = [o for o in shown if not o.node.is_template]
    calls, steps = Counter[str](), Counter[str]()
    for outlook in shown:
        if outlook.node.is_template:
            split = outlook.node.tasks[-1][0]
            steps[split] += 1
            calls[split] += outlook.node.attempts
    return Totals(
        steps=len(known),
        skipped=sum(o.fate == "skip" for o in known),
        running=sum(o.fate in ("run", "regate") for o in known),
        waiting=sum(o.fate == "wait" for o in known),
        saved=tuple(o.decision.stored.cost for o in known if o.fate == "skip" and o.decision and o.decision.stored),
        agent_calls=sum(o.node.attempts for o in known if o.fate != "skip"),
        per_task=tuple((split, number, calls[split]) for split, number in steps.items()),
    )


def _head(plan: Plan, totals: Totals, header: PlanHeader) -> list[str]:
    spec_size = f" ({size(header.spec_size)})" if header.spec_size is not None else ""
    revision = f"{header.branch}@{header.commit[:7]}" if header.branch else header.commit[:7]
    steps = number_of(totals.steps, "step") + _per_task(totals, 1)
    return [
        plan.workflow.name,
        steps,
        header.spec + spec_size if header.spec else "",
        revision + (" with uncommitted changes" if header.is_dirty else ""),
    ]


def _row(outlook: Outlook) -> list[Cell | str]:
    word = {"skip": "skip", "regate": "gates"}.get(outlook.fate, "run")
    doer = outlook.agent or " ".join(gate_names(outlook.node))
    return [Cell(word, _STYLES[word]), shown_id(outlook.node.id), doer, _why(outlook)]


def _why(outlook: Outlook) -> str:
    stored = outlook.decision.stored if outlook.decision else None
    waits = f"waits for {shown_id(outlook.waits_for)}" if outlook.waits_for else ""
    if outlook.node.is_template:
        return f"once per task, {waits}" if waits else "once per task"
    if outlook.fate == "regate" and outlook.decision:
        gates = " ".join(outlook.decision.pending)
        return f"only {gates}, on the result of {short_id(stored.run)}" if stored else f"only {gates}"
    if outlook.fate == "skip" and stored:
        return f"same as run {short_id(stored.run)}, saves {money(stored.cost)}"
    return waits or outlook.reason


def _foot(totals: Totals, header: PlanHeader) -> list[str]:
    to_run = totals.running + totals.waiting
    saves = f", saves {money_of(totals.saved)}" if totals.saved else ""
    budget = f"budget {money(header.max_budget)}" if header.max_budget is not None else ""
    if not to_run and not totals.per_task:
        return [f"nothing to run ({totals.skipped} skipped{saves})", budget]
    # A waiting step may turn out to be unchanged once what it waits for has run.
    at_most = "up to " if totals.waiting else ""
    skipped = f" ({totals.skipped} skipped{saves})" if totals.skipped else ""
    runs = f"{at_most}{to_run} of {totals.steps} run{_per_task(totals, 1)}{skipped}"
    return [runs, budget, f"at most {number_of(totals.agent_calls, 'agent call')}{_per_task(totals, 2)}"]


def _per_task(totals: Totals, field: int) -> str:
    """`, and 2 per task`, for steps (1) or agent calls (2); several splits are named."""
    if len(totals.per_task) == 1:
        return f", and {totals.per_task[0][field]} per task"
    return "".join(f", and {entry[field]} per task of {shown_id(str(entry[0]))}" for entry in totals.per_task)


def _node(outlook: Outlook) -> dict[str, object]:
    node, decision = outlook.node, outlook.decision
    stored = decision.stored if decision else None
    return {
        "id": node.id,
        "kind": node.kind,
        "type": step_type(node),
        "agent": outlook.agent or agent_name(node),
        "recipe": node.recipe,
        "fate": outlook.fate,
        "reason": outlook.reason,
        "key": decision.key if decision else "",
        "waits_for": outlook.waits_for,
        "gates": list(gate_names(node)),
        "pending_gates": list(decision.pending) if decision else [],
        "tasks": [{"split": split, "task": task} for split, task in node.tasks],
        "is_template": node.is_template,
        "max_agent_calls": node.attempts,
        "from_run": stored.run if stored else "",
        "saved_usd": stored.cost if stored and outlook.fate == "skip" else None,
    }
