"""A plan's graph as Mermaid and as Graphviz text, the same bytes for the same plan.

Solid lines carry something (values, a tree, a session), dotted ones are the file's order alone. Dashed nodes are steps
of a split that has not run.
"""

from __future__ import annotations

from gumpc.plan import Plan, PlanNode
from runtime.report.columns import clean
from runtime.report.naming import agent_name, gate_names, shown_id

_MERMAID_SHAPES = {"agent": ("[", "]"), "gate": ("{{", "}}"), "merge": ("[/", "\\]"), "group": ("([", "])")}
_DOT_SHAPES = {"agent": "box", "gate": "hexagon", "merge": "trapezium", "group": "oval", "call": "oval"}


def mermaid(plan: Plan) -> str:
    """A Mermaid flowchart."""
    names = {node.id: f"n{number}" for number, node in enumerate(plan.nodes)}
    lines = ["flowchart TD"]
    for node in plan.nodes:
        opening, closing = _MERMAID_SHAPES.get(node.kind, _MERMAID_SHAPES["group"])
        label = "<br/>".join(_mermaid_escaped(line) for line in _label(node))
        lines.append(f'    {names[node.id]}{opening}"{label}"{closing}')
    for source, target, kinds in _edges(plan):
        arrow = "-.->" if kinds == ("order",) else "-- session -->" if "session" in kinds else "-->"
        lines.append(f"    {names[source]} {arrow} {names[target]}")
    if templates := [names[node.id] for node in plan.nodes if node.is_template]:
        lines += ["    classDef template stroke-dasharray: 4 3", f"    class {','.join(templates)} template"]
    return "\n".join(lines) + "\n"


def dot(plan: Plan) -> str:
    """A Graphviz digraph."""
    lines = [f"digraph {_quoted(plan.workflow.name)} {{", "    rankdir=TB;", '    node [fontname="sans-serif"];']
    for node in plan.nodes:
        style = ", style=dashed" if node.is_template else ""
        label = "\\n".join(_quoted(line)[1:-1] for line in _label(node))
        lines.append(f'    {_quoted(node.id)} [label="{label}", shape={_DOT_SHAPES[node.kind]}{style}];')
    for source, target, kinds in _edges(plan):
        style = ' [style=dotted, tooltip="order"]' if kinds == ("order",) else f' [tooltip="{", ".join(kinds)}"]'
        lines.append(f"    {_quoted(source)} -> {_quoted(target)}{style};")
    return "\n".join([*lines, "}"]) + "\n"


def _edges(plan: Plan) -> list[tuple[str, str, tuple[str, ...]]]:
    kinds: dict[tuple[str, str], set[str]] = {}
    for edge in plan.edges:
        kinds.setdefault((edge.source, edge.target), set()).add(edge.kind)
    return [(source, target, tuple(sorted(found))) for (source, target), found in kinds.items()]


def _label(node: PlanNode) -> list[str]:
    gates = " ".join(gate_names(node))
    return [clean(line) for line in (shown_id(node.id), agent_name(node), gates) if line]


def _mermaid_escaped(text: str) -> str:
    escapes = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "`": "#96;"}
    return "".join(escapes.get(letter, letter) for letter in text)


def _quoted(text: str) -> str:
    escaped = clean(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
