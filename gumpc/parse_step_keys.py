"""The keys of steps and of what stands inside them: one table per construct, read by `gumpc.parse_step`.

The keys of `get:` and `run:` are listed once, since they may stand flat in the step as well.
"""

from __future__ import annotations

from gumpc.parse_parts import CACHE, FROM, PROMPT, WITH
from gumpc.parse_tables import Choice, Duration, Either, Figure, Key, Keys, Many, Part, Retired, Text, YesNo
from gumpc.parse_values import NAME

TYPES = Choice(("code", "split", "validate", "artifact"))
SESSIONS = Choice(("new",))

GUARD = Keys(
    {
        "max_turns": Key("The most turns of the agent.", Figure(whole=True, low=1)),
        "max_budget": Key("The most US dollars.", Figure(above=True)),
        "max_tokens": Key("The most tokens, in and out.", Figure(whole=True, low=1)),
        "max_time": Key("The longest time: `90s`, `30m`, `1h30m`.", Duration()),
        "timeout": Key("The same as `max_time`; give one of them.", Duration()),
        "no_write": Key(
            "`true`: ends the attempt when a file is written; the default of all types but `code`.", YesNo()
        ),
    }
)
CONTEXT = Keys(
    {
        "file": Key("A file's path, relative to the repository; a template."),
        "bash": Key("A command whose output is given. A reference in it becomes a shell variable."),
        "required": Key(
            "`true`: stop where it is missing or fails, instead of leaving it out.", YesNo(), default=False
        ),
    }
)
GET_KEYS = {
    "prompt": Key("What the agent is asked: a template, or `{file: PATH}` relative to the workflow's file.", PROMPT),
    "context": Key("Files, and outputs of commands, that the agent is given with the prompt.", Many(CONTEXT)),
    "worktree": Key(
        "What the agent may do with the files; by type: `read-write` for `code`, else `read-only`.",
        Choice(("read-write", "read-only", "none")),
    ),
    "session": Key("`new`, or `{from: STEP}`: go on in that step's session.", Either(SESSIONS, FROM), default="new"),
    "workflow": Key("A workflow to run before the agent; its output is `{NAME.output}`."),
    "inputs": Key("Globs: the files that this step depends on; without it, all of them.", Many(Text())),
}
RUN_KEYS = {
    "agent": Key('An agent\'s name, a template such as `"{implement.agent}"`, or `pass`: run no agent.'),
    "guard": Key("What ends an attempt while it works.", GUARD),
    "hitl": Key(
        "A person decides: `before_gate` (or `true`), or `after_gate`.",
        Choice(("true", "before_gate", "after_gate", "false")),
    ),
}
_BLOCKS = {
    "get": Key("What the agent is given. These keys may also stand at step level.", Part("get")),
    "run": Key("Which agent, and its limits. These keys may also stand at step level.", Part("run")),
}
_STEP_KEYS = {
    "name": Key("The step's name, unique among its siblings: letters, digits, `_`, `-`.", Text(NAME)),
    "type": Key("What the step makes: changes, tasks, a verdict, or a text.", TYPES),
    "gate": Key("What the work must pass, in order.", Many(Part("gate"))),
    "retry": Key("What changes from attempt to attempt; without it there is one.", Many(Part("retry"))),
    "steps": Key("The group's steps, in order.", Many(Part("step"), least=1)),
    "each": Key("The steps to run once for each task of this split.", Many(Part("step"), least=1)),
    "parallel": Key("`true`: the steps of a group, or the tasks of a split, at the same time.", YesNo(), default=False),
    "blast_radius": Key(
        "What a change outside a task's `files` does.", Choice(("fail", "warn", "off")), default="fail"
    ),
    "cache": Key(CACHE, YesNo(), default=True),
    "with": WITH,
}

KIND_KEYS = {
    "group": ("name", "steps", "parallel", "gate", "retry"),
    "agent": (
        *("name", "type", "get", *GET_KEYS, "with", "run", *RUN_KEYS),
        *("gate", "retry", "each", "parallel", "blast_radius", "cache"),
    ),
    "call": ("name", "workflow", "with"),
    "gate": ("name", "gate", "retry", "agent", "run", "hitl"),
}
_HOMES = {**_STEP_KEYS, **_BLOCKS, **GET_KEYS, **RUN_KEYS}
ALL_KEYS = {key: _HOMES[key] for keys in KIND_KEYS.values() for key in keys}
# The keys that decide a step's kind, the strongest first.
DECIDING = (
    ("steps", "group"),
    *((key, "agent") for key in ("type", "agent", "prompt", "get", "run", "each")),
    ("workflow", "call"),
    ("gate", "gate"),
)
_IN_GUARD = {key: f"`{key}` belongs in `guard:`" for key in GUARD.table if key not in ("max_budget", "timeout")}
OLD_TYPES = {"diff": "code", "plan": "split", "review": "validate"}
_RETIRED = {
    "output": Retired(
        "`type:` says what a step makes: diff is `code`, plan `split`, artifact `artifact`, review `validate`",
        "type",
        {**OLD_TYPES, "artifact": "artifact"},
    ),
    "foreach": Retired("put the block under `each:` of the split step itself"),
    "on_failure": Retired("write `retry:`, a list of entries that ends with `- exit: N`"),
    "strategy": Retired("write `retry:`, one entry for each change of strategy"),
    "restart_from": Retired("write it as an override of a `retry:` entry"),
    "timeout": Retired("write `guard: {max_time: …}`"),
    "max_budget": Retired("write `guard: {max_budget: …}`"),
}
STEP = {kind: Keys(ALL_KEYS, _IN_GUARD, _RETIRED, keys) for kind, keys in KIND_KEYS.items()}
STEP[""] = Keys(ALL_KEYS, _IN_GUARD, _RETIRED, ("name", "type", "gate", "steps", "workflow"))
_BLOCK_HOMES = {key: f"`{key}` stands at step level" for key in ALL_KEYS if key not in ("get", "run")}
GET = Keys(
    {**GET_KEYS, "with": WITH},
    {**_BLOCK_HOMES, **{key: f"`{key}` belongs in `run:`" for key in RUN_KEYS}},
)
RUN = Keys(RUN_KEYS, {**_BLOCK_HOMES, **{key: f"`{key}` belongs in `get:`" for key in GET_KEYS}, **_IN_GUARD})
