"""One line per step while a run goes on: how it ended, how it failed and is tried again, what was left out.

The same facts have two forms: columns under each other on a terminal, whose widths are settled once per plan so that a
line printed now stands under one printed an hour ago, and complete sentences of ` · ` elsewhere, where nothing is cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from gumpc.plan import Plan
from runtime.report.columns import GAP, Cell, Column, clean, clip, columns, display_width
from runtime.report.figures import duration, money, number_of, short_id, size
from runtime.report.model import why_failed
from runtime.report.naming import agent_names, gate_names, is_shown, shown_id
from runtime.state import RunState, StepState

INDENT = "  "
WIDE = 110
"""From this width on, turns and attempts have room of their own behind the figures."""

_COST, _TIME = 8, 6
_LEAST_MIDDLE = 10


@dataclass(frozen=True, slots=True)
class Layout:
    """Widths of the columns for a plan on a screen of `width`: the step, its agent, what it does or did."""

    width: int
    step: int
    agent: int
    middle: int

    @property
    def is_wide(self) -> bool:
        """True when there is room for notes behind the figures."""
        return self.width >= WIDE


def layout_for(plan: Plan | None, width: int) -> Layout:
    """The layout for the steps of a plan."""
    nodes = [node for node in plan.nodes if is_shown(node)] if plan else []
    steps = max((display_width(clean(shown_id(node.id))) for node in nodes), default=20)
    agents = max((display_width(clean(name)) for node in nodes for name in agent_names(node)), default=12)
    gates = max((display_width(clean(" ".join(gate_names(node)))) for node in nodes), default=0)
    is_wide = width >= WIDE
    room = max(0, width - len(INDENT) - 1 - _COST - _TIME - len(GAP) * (6 if is_wide else 5))
    agent = min(agents, max(8, room // 3))
    # Ids tell steps apart, and tasks stand in their middle: they give way last.
    step = min(steps, max(12, room - agent - _LEAST_MIDDLE))
    rest = max(8, room - agent - step)
    middle = min(max(36, gates + 12), rest * 2 // 3) if is_wide else rest
    return Layout(width, step, agent, middle)


def step_line(
    layout: Layout,
    mark: Cell,
    step: str,
    agent: str,
    middle: Cell | str,
    *,
    cost: Cell | str = "",
    time: str = "",
    note: str = "",
    color: bool = False,
) -> str:
    """One line in the columns of the layout."""
    shape = (
        Column(fixed=1),
        Column(fixed=layout.step, cut="middle"),
        Column(fixed=layout.agent),
        Column(fixed=layout.middle),
        Column("right", fixed=_COST),
        Column("right", fixed=_TIME),
        Column(rank=1, minimum=0),
    )
    row: list[Cell | str] = [mark, shown_id(step), agent, middle, cost, time, note if layout.is_wide else ""]
    return columns([row], shape, width=layout.width, color=color, indent=INDENT)[0]


def ended_line(layout: Layout, run: RunState, step: StepState, *, files: int | None, color: bool) -> str:
    """How a step ended, as a line of columns."""
    failed = step.phase == "fatal"
    result = why_failed(step.last) if failed and step.last else _result(run, step, files)
    attempt = f"attempt {step.last.number}" if step.last and len(step.attempts) > 1 else ""
    gates = "" if failed else _passed_gates(step)
    if layout.is_wide:
        middle = f"{result:<9}  {gates}" if gates and result else result or gates
    else:
        middle = _as_fits(layout.middle, result, attempt, gates)
    return step_line(
        layout,
        Cell("✗", "bad") if failed else Cell("✓", "good"),
        step.id,
        step.agent,
        Cell(middle, "bad" if failed else ""),
        cost=Cell("cached", "good") if step.cached else _cost(step),
        time=duration(step.duration_ms) if step.attempts else "",
        note="   ".join(filter(None, (_turns(step), _history(step)))),
        color=color,
    )


def ended_words(run: RunState, step: StepState, *, files: int | None, runs: tuple[str, ...] = ()) -> str:
    """The same, complete in itself."""
    if step.cached:
        origin = f"same as run {short_id(step.from_run, runs)}" if step.from_run else ""
        saved = f"saved {money(step.saved)}" if step.from_run else ""
        return _joined(f"✓ {step.id} skipped", origin, saved, _result(run, step, files), _passed_gates(step))
    figures = (_cost(step), duration(step.duration_ms), _turns(step), _history(step).strip("()"))
    if step.phase == "fatal":
        why = why_failed(step.last) if step.last else ""
        return _joined(f"✗ {step.id} failed", step.agent, why, *figures)
    return _joined(f"✓ {step.id} passed", step.agent, _result(run, step, files), _passed_gates(step), *figures)


def started_words(step: StepState) -> str:
    """That a step begins, and why."""
    return _joined(f"▸ {step.id} started", step.agent, step.reason)


def retry_words(step: StepState, session_mode: str) -> str:
    """Why the attempt before failed, and what is tried now."""
    failed, now = step.attempts[-2], step.attempts[-1]
    session = "same session" if session_mode == "own" else "new session"
    agent = f", {now.agent}" if now.agent != failed.agent else ""
    who = f", {failed.agent}" if failed.agent else ""
    return f"{clean(why_failed(failed))} (attempt {failed.number}{who}) → attempt {now.number}{agent}, {session}"


def warning(step: str, message: str, width: int | None = None) -> str:
    """What a person should know of a step, or of the run; on a narrow screen a long id leaves room for the message."""
    shown = clip(clean(step), max(20, width // 2), cut="middle") if width else step
    return clean(f"! {shown}: {message}" if shown else f"! {message}")


def header_words(run: RunState, plan: Plan | None, runs: tuple[str, ...] = ()) -> list[str]:
    """What runs, on what, and within which limit."""
    revision = f"{run.branch}@{run.commit[:7]}" if run.branch else run.commit[:7]
    shown = [node for node in plan.nodes if is_shown(node)] if plan else []
    steps = [node for node in shown if not node.is_template]
    over = sum(run.peek(node.id).is_over for node in steps)
    more = f", and {len(shown) - len(steps)} per task" if len(shown) > len(steps) else ""
    count = f"{over} of {number_of(len(steps), 'step')} done" if over else number_of(len(steps), "step")
    budget = f"budget {money(run.max_budget)}" if run.max_budget is not None else ""
    return [f"run {short_id(run.id, runs)}", run.workflow, revision, count + more if shown else "", budget]


def _as_fits(width: int, first: str, *others: str) -> str:
    """The first part with as many of the others as there is room for."""
    text = first
    for part in filter(None, others):
        longer = f"{text} · {part}" if text else part
        text = longer if not text or display_width(clean(longer)) <= width else text
    return text


def _result(run: RunState, step: StepState, files: int | None) -> str:
    """What a step produced, in two words."""
    match step.kind:
        case "split":
            return number_of(len(run.tasks[step.id]), "task") if step.id in run.tasks else ""
        case "code":
            return number_of(files, "file") if files is not None else ""
        case "validate":
            return f"verdict {step.values['output']}" if "output" in step.values else ""
        case "artifact":
            return size(len(step.values.get("output", "").encode("utf-8", "replace")))
        case _:
            return ""


def _passed_gates(step: StepState) -> str:
    return " ".join(f"{gate.name} (skipped)" if gate.skipped else gate.name for gate in step.gates)


def _cost(step: StepState) -> str:
    return money(step.cost) if step.agent and step.attempts else ""


def _turns(step: StepState) -> str:
    turns = sum(attempt.turns for attempt in step.attempts)
    return number_of(turns, "turn") if turns else ""


def _history(step: StepState) -> str:
    """`(attempt 3, escalated from claude-haiku)`; nothing for a step that took one attempt."""
    if len(step.attempts) < 2:
        return ""
    left = [one.agent for one, other in pairwise(step.attempts) if one.agent != other.agent]
    return f"(attempt {step.attempts[-1].number}{f', escalated from {left[-1]}' if left else ''})"


def _joined(*parts: str) -> str:
    return " · ".join(clean(part) for part in parts if part)
