"""`gumpc plan`: what a run would do now, step by step, and why; nothing is started or created."""

from __future__ import annotations

import json
import shutil
import sys
from typing import Any

import click

from gumpc.cli.asking import request, request_options, require_project, surroundings
from gumpc.cli.console import wants_color
from runtime.outlook import Outlook
from runtime.report.graph_text import dot, mermaid
from runtime.report.plan_text import PlanHeader, plan_json, plan_text
from runtime.runner import Request, Surroundings, plan_ahead


@click.command("plan")
@request_options
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.option("--format", "style", type=click.Choice(["text", "mermaid", "dot"]), default="text", help="Draw the DAG.")
@click.option("--render", metavar="STEP", help="Print the exact prompt of a step.")
def command(*, as_json: bool, style: str, render: str | None, **words: Any) -> int:
    """Show what a run would do, and why."""
    project = require_project()
    around = surroundings(project)
    asked = request(project, around.repository.root, **words)
    return show_plan(asked, around, as_json=as_json, style=style, render=render)


def show_plan(
    asked: Request, around: Surroundings, *, as_json: bool = False, style: str = "text", render: str | None = None
) -> int:
    """Print the plan of a run that is asked for; `run --dry-run` is the same."""
    plan, outlooks, state = plan_ahead(asked, around)
    header = PlanHeader(
        spec=asked.spec,
        spec_size=len(asked.inputs["spec"].encode()) if "spec" in asked.inputs else None,
        branch=state.branch,
        commit=state.commit,
        is_dirty=asked.dirty,
        max_budget=asked.max_budget or asked.workflow.limits.max_budget,
    )
    if render:
        text = _prompt(render, outlooks)
    elif as_json:
        text = json.dumps(plan_json(plan, outlooks, header=header), indent=2, ensure_ascii=False)
    elif style == "mermaid":
        text = mermaid(plan)
    elif style == "dot":
        text = dot(plan)
    else:
        width = shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 200
        text = plan_text(plan, outlooks, header=header, width=width, color=wants_color(sys.stdout, around.config))
    click.echo(text.rstrip("\n"))
    return 0


def _prompt(step: str, outlooks: tuple[Outlook, ...]) -> str:
    from runtime.errors import RunError
    from runtime.prompt import compose

    found = next((o for o in outlooks if o.node.id == step), None)
    if found is None:
        raise RunError(f"there is no step `{step}`", help=f"its steps: {', '.join(o.node.id for o in outlooks)}")
    inputs = found.decision.inputs if found.decision else None
    if inputs is None:
        raise RunError(f"the prompt of `{step}` is not known yet", help=found.reason or "it has none")
    return compose(inputs.prompt, inputs.context, inputs.rules)
