"""Which fields each kind of step writes to the state, as data; the resolver and the executor read the same table."""

from __future__ import annotations

from gumpc import syntax

TASK = ("name", "description", "files")

METRICS = ("duration", "cost", "turns", "tokens_in", "tokens_out", "cache_read", "cache_write")
_ALWAYS = ("status", "cached", "retries", "check_result")
_AGENT = ("output", "agent", "session_id", "attempt", *METRICS, *_ALWAYS)

FIELDS: dict[str, tuple[str, ...]] = {
    "code": ("diff", "files", *_AGENT),
    "split": _AGENT,
    "validate": ("comments", *_AGENT),
    "artifact": _AGENT,
    "gate": _ALWAYS,
    "group": (*METRICS, *_ALWAYS),
    "call": ("output", *METRICS, *_ALWAYS),
}

ATTEMPT = ("error", "attempt", "diff", "output")
RESERVED = ("spec", "task", "gate", "prev", "run", "error", "attempt", "diff", "output", "steps", "item")
"""What a step may not be called, because `{task.name}`, `{diff}` or edition 3's `{item.name}` mean something else."""


def kind_of(step: syntax.StepSyntax) -> str:
    """The row of `FIELDS` for a step; a step whose type is not known (that was reported) may write what code writes."""
    if step.kind != "agent":
        return step.kind
    return step.type.value if step.type else "code"


def gate_names(gates: tuple[syntax.GateSyntax, ...]) -> tuple[str, ...]:
    """The name of each gate: as given, else its kind or validator; numbered from the second of one name on."""
    names: list[str] = []
    unnamed: list[str] = []
    for gate in gates:
        if gate.name:
            names.append(gate.name.value)
            continue
        base = called_name(gate.call) if gate.call else gate.kind
        unnamed.append(base)
        count = unnamed.count(base)
        names.append(f"{base}_{count}" if count > 1 else base)
    return tuple(names)


def called_name(call: syntax.CallSyntax) -> str:
    """What a called workflow is known by: the last segment of its path."""
    return call.workflow.value.removesuffix(".yaml").removesuffix(".yml").rpartition("/")[2]


def gate_aliases(names: tuple[str, ...]) -> dict[str, str]:
    """Every name that a gate can be called by, to its own name: `review` for `arch-review` while that is unique."""
    aliases: dict[str, list[str]] = {}
    for name in names:
        aliases.setdefault(name.rpartition("-")[2], []).append(name)
    unique = {short: found[0] for short, found in aliases.items() if len(found) == 1}
    return unique | {name: name for name in names}
