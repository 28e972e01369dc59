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
RESERVED = ("spec", "task", "gate", "prev", "run", "error", "attempt", "diff", "output")


def kind_of(step: syntax.StepSyntax) -> str:
    """The row of `FIELDS` for a step."""
    return step.type.value if step.kind == "agent" and step.type else step.kind


def gate_names(gates: tuple[syntax.GateSyntax, ...]) -> tuple[str, ...]:
    """The name of each gate: as given, else its kind or validator; numbered from the second of one name on."""
    names: list[str] = []
    for gate in gates:
        base = gate.name.value if gate.name else _base_name(gate)
        count = sum(1 for other in names if other == base or other.rpartition("_")[0] == base)
        names.append(f"{base}_{count + 1}" if count and not gate.name else base)
    return tuple(names)


def gate_aliases(names: tuple[str, ...]) -> dict[str, str]:
    """Every name that a gate can be called by, to its own name: `review` for `arch-review` while that is unique."""
    aliases: dict[str, list[str]] = {}
    for name in names:
        aliases.setdefault(name.rpartition("-")[2], []).append(name)
    unique = {short: found[0] for short, found in aliases.items() if len(found) == 1}
    return unique | {name: name for name in names}


def _base_name(gate: syntax.GateSyntax) -> str:
    if gate.call is None:
        return gate.kind
    return gate.call.workflow.value.removesuffix(".yaml").removesuffix(".yml").rpartition("/")[2]
