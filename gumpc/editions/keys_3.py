"""The keys of edition 3, one table per construct; what both editions have is taken from the tables of edition 4."""

from __future__ import annotations

from gumpc.parse_step_keys import ALL_KEYS, GET_KEYS, RUN_KEYS
from gumpc.parse_tables import (
    Choice,
    Duration,
    Either,
    Figure,
    Inputs,
    Key,
    Keys,
    Many,
    Nothing,
    Part,
    Retired,
    Text,
    YesNo,
)

OUTPUTS = {"diff": "code", "plan": "split", "artifact": "artifact", "review": "validate"}
SESSIONS = Choice(("fresh", "reuse", "reuse-on-retry"))
REUSE = Keys({"reuse": Key("The step whose session goes on.")})
INPUTS = Key("What the workflow is given: names, each with `required` or a `default`.", Inputs())
INPUT = Keys(
    {
        "required": Key("`false`: may be left out.", YesNo(), default=True),
        "default": Key("The value where none is given.", Text(may_be_empty=True)),
    }
)
POLICY = {
    "retry": Key("How many more attempts there are.", Figure(whole=True, low=1)),
    "strategy": Key(
        "What changes from one attempt to the next; the last entry goes on: `same`, `same: N`, `escalate: AGENT`, "
        "`replan: AGENT`.",
        Many(Part("strategy"), least=1),
    ),
    "restart_from": Key("The earlier sibling step to go back to when the strategy is at its end."),
}
KINDS = {"gate_fail": "gate", "guard_fail": "guard", "review_fail": "verdict"}
POLICY_KEYS = Keys(POLICY)
ON_FAILURE = Keys({**POLICY, **{kind: Key("The policy for this kind of failure.", POLICY_KEYS) for kind in KINDS}})
STRATEGY = Keys(
    {
        "same": Key("The same agent again, this many times.", Either(Nothing(), Figure(whole=True, low=1))),
        "escalate": Key("Another agent from now on."),
        "replan": Key("This agent splits the task anew."),
    }
)

_SHARED = ("gate", "steps", "parallel", "blast_radius", "cache", "with", "name")
_STEP_KEYS = {
    **{key: ALL_KEYS[key] for key in _SHARED},
    **GET_KEYS,
    **RUN_KEYS,
    "output": Key("What the step makes; `diff` where it is left out.", Choice(tuple(OUTPUTS))),
    "session": Key("Whose session goes on: `fresh`, `reuse`, `reuse-on-retry`, or `{reuse: STEP}`."),
    "foreach": Key("The step whose tasks the group goes over."),
    "timeout": Key("The longest time of an attempt.", Duration()),
    "max_budget": Key("The most US dollars of an attempt.", Figure(above=True)),
    "on_failure": Key("What follows when an attempt fails.", ON_FAILURE),
}
KIND_KEYS = {
    "group": ("name", "foreach", "steps", "workflow", "with", "parallel", "gate", "on_failure"),
    "agent": (
        *("name", "output", "agent", "prompt", "context", "worktree", "session", "inputs", "guard", "hitl"),
        *("timeout", "max_budget", "gate", "on_failure", "blast_radius", "cache"),
    ),
    "call": ("name", "workflow", "with", "cache"),
    "gate": ("name", "gate", "on_failure", "agent", "hitl", "cache"),
}
DECIDING = (
    ("steps", "group"),
    ("foreach", "group"),
    *((key, "agent") for key in ("output", "agent", "prompt")),
    ("workflow", "call"),
    ("gate", "gate"),
)
_ELSEWHERE = {key: f"`{key}` belongs in `on_failure:`" for key in ("strategy", "restart_from", *KINDS)}
_RETIRED = {
    "type": Retired(
        "`output:` says what a step makes: code is `diff`, split `plan`, artifact `artifact`, validate `review`",
        "output",
        {new: old for old, new in OUTPUTS.items()},
        4,
    ),
    "each": Retired("write a group with `foreach: STEP` behind the step that makes the tasks", edition=4),
    "retry": Retired("write `on_failure: {retry: N, strategy: […]}`", edition=4),
    "get": Retired("its keys stand at step level", edition=4),
    "run": Retired("its keys stand at step level", edition=4),
}
STEP = {kind: Keys(_STEP_KEYS, _ELSEWHERE, _RETIRED, keys) for kind, keys in KIND_KEYS.items()}
STEP[""] = Keys(_STEP_KEYS, _ELSEWHERE, _RETIRED, ("name", "output", "agent", "prompt", "gate", "steps", "workflow"))
