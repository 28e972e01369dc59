"""The program behind the offline agent: reads a prompt, looks it up in a script, and does what the script says.

It stands alone (the standard library, no import of ours), because it runs as an agent runs: in a process of its own,
in a worktree, with nothing but a prompt on standard input. It prints the lines of `runtime.agents.jsonl`.

A script is JSON, `{"rules": [RULE, …]}`; the first rule that fits the prompt and the model is carried out, and none
is a failure that shows the prompt. A rule:

    when     texts that the prompt must all hold (a text or a list; left out: any prompt)
    unless   texts of which it may hold none
    model    models that it is for (a text or a list; left out: any)
    resumed  true for a session that goes on, false for a new one
    do       the actions, in order

The actions, one object each; a text may be a list of lines:

    {"write": PATH, "text": TEXT}                {"append": PATH, "text": TEXT}
    {"replace": PATH, "old": TEXT, "new": TEXT}  {"delete": PATH}
    {"run": COMMAND}                             {"say": TEXT}
    {"sleep": SECONDS}                           {"usage": {"input": N, "output": N, "cost": USD}}
    {"fail": MESSAGE, "kind": KIND, "exit": CODE, "reset_in": SECONDS}

Usage is made up from the length of prompt and answers unless the rule tells its own. With `GUMP_OFFLINE_SPEED=1` each
action takes about as long as a person can follow, with 2 half as long; without it, no time at all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

SCRIPT_VARIABLE = "GUMP_OFFLINE_SCRIPT"
SPEED_VARIABLE = "GUMP_OFFLINE_SPEED"
PACE = 0.6
LONGEST_PACE = 60.0
CHARACTERS_PER_TOKEN = 4
PRICES = {"small": (0.10, 0.50), "large": (4.0, 20.0)}
USUAL_PRICE = (2.0, 10.0)

Json = Any
Action = dict[str, Json]


class Failure(Exception):
    """The call ends here, as a failed one."""

    def __init__(self, message: str, kind: str = "agent_error", exit: int = 1, reset_in: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.exit = exit
        self.reset_in = reset_in


@dataclass
class Call:
    """One call of the agent: who it is, and what it has spent so far."""

    model: str
    session: str
    resumed: bool
    pace: float
    input: int = 0
    output: int = 0
    cost: float | None = 0.0
    told: bool = False
    said: list[str] = field(default_factory=list)

    def emit(self, type: str, **keys: Json) -> None:
        """Print one line of the protocol, whole and at once."""
        line = json.dumps({"type": type, **keys}, ensure_ascii=False).encode("utf-8", "replace")
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()

    def spend(self, input: int, output: int, cost: float | None) -> None:
        """Add to what this call has cost, and tell the sum."""
        self.input += input
        self.output += output
        self.cost = None if self.cost is None or cost is None else round(self.cost + cost, 9)
        known = {} if self.cost is None else {"cost": self.cost}
        self.emit("usage", input=self.input, output=self.output, **known)

    def turn(self, prompt: str, action: Action) -> None:
        """Begin a model response that amounts to `action`, with a made-up usage unless the rule tells its own."""
        self.emit("turn")
        if not self.told:
            read = len(prompt) // CHARACTERS_PER_TOKEN + 1
            wrote = len(json.dumps(action)) // CHARACTERS_PER_TOKEN + 1
            price = PRICES.get(self.model, USUAL_PRICE)
            self.spend(read, wrote, (read * price[0] + wrote * price[1]) / 1e6)
        time.sleep(self.pace)


def inside(path: str) -> Path:
    """`path` in the working directory; refuses one that leaves it, also through a symlink."""
    here = Path.cwd().resolve()
    target = (here / path).resolve()
    if not target.is_relative_to(here) or target == here:
        raise Failure(f"refused: `{path}` is not a file inside the working directory")
    return target


def text_of(value: Json) -> str:
    """A text, or a list of lines as one text."""
    return "".join(f"{line}\n" for line in value) if isinstance(value, list) else str(value)


def write(call: Call, action: Action) -> None:
    """Write a file anew."""
    target = announce(call, "Write", action["write"])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text_of(action["text"]), encoding="utf-8", newline="")


def append(call: Call, action: Action) -> None:
    """Add to the end of a file."""
    target = announce(call, "Write", action["append"])
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("a", encoding="utf-8", newline="") as file:
        file.write(text_of(action["text"]))


def replace(call: Call, action: Action) -> None:
    """Replace the one place where a file has the old text."""
    target = announce(call, "Edit", action["replace"])
    text = target.read_bytes().decode("utf-8")
    old = text_of(action["old"])
    if not old or text.count(old) != 1:
        raise Failure(f"`{action['replace']}` has the text to replace {text.count(old) if old else 0} times, not once")
    target.write_text(text.replace(old, text_of(action["new"])), encoding="utf-8", newline="")


def delete(call: Call, action: Action) -> None:
    """Remove a file."""
    announce(call, "Delete", action["delete"]).unlink()


def announce(call: Call, tool: str, path: str) -> Path:
    """Tell of a write before it happens, as agents do, so that a guard can end it."""
    target = inside(path)
    call.emit("tool", name=tool)
    call.emit("write", path=path)
    return target


def run(call: Call, action: Action) -> None:
    """Run a shell command; one that fails ends the call, so that a script does not fail unseen."""
    command = action["run"]
    call.emit("tool", name="Bash", command=command)
    done = subprocess.run(
        command, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        shown = done.stdout[-500:].decode("utf-8", "replace").strip()
        raise Failure(f"`{command}` exited with {done.returncode}: {shown}")


def say(call: Call, action: Action) -> None:
    """Say something; the last thing said is the call's answer."""
    call.said.append(text_of(action["say"]))
    call.emit("text", text=call.said[-1])


def sleep(call: Call, action: Action) -> None:
    """Wait, whatever the speed: this is for limits on time."""
    time.sleep(action["sleep"])


def usage(call: Call, action: Action) -> None:
    """Add a usage of the script's own; without `cost` the call's cost is not known."""
    spent = action["usage"]
    call.spend(spent.get("input", 0), spent.get("output", 0), spent.get("cost"))


def fail(call: Call, action: Action) -> NoReturn:
    """End the call as a failed one."""
    raise Failure(action["fail"], action.get("kind", "agent_error"), action.get("exit", 1), action.get("reset_in"))


@dataclass(frozen=True)
class Shape:
    """What a value of the script may be, in words and as a test."""

    words: str
    fits: Callable[[Json], bool]


def is_number(value: Json, most: float = 1e9) -> bool:
    """Whether it is a number from 0 on, not a boolean, infinite or NaN."""
    return type(value) in (int, float) and 0 <= value <= most


def is_usage(value: Json) -> bool:
    """Whether it is an object of tokens and a cost, and nothing else."""
    if not isinstance(value, dict) or not value.keys() <= {"input", "output", "cost"}:
        return False
    return all(is_number(number) and (key == "cost" or type(number) is int) for key, number in value.items())


TEXT = Shape("a text", lambda value: isinstance(value, str) and "\0" not in value)
TEXTS = Shape(
    "a text or a list of texts",
    lambda value: isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value)),
)
NUMBER = Shape("a number, 0 or more", is_number)
EXIT_CODE = Shape("an exit code from 1 to 255", lambda value: type(value) is int and 1 <= value <= 255)
SWITCH = Shape("true or false", lambda value: isinstance(value, bool))
ACTIONS = Shape("a list of actions", lambda value: isinstance(value, list))
USAGE = Shape("an object of `input`, `output` (tokens) and `cost` (USD)", is_usage)


@dataclass(frozen=True)
class Verb:
    """What an action does, what its own key takes, its other keys (`may`: optional), and whether it is a turn."""

    perform: Callable[[Call, Action], None]
    takes: Shape = TEXT
    needs: dict[str, Shape] = field(default_factory=dict)
    may: dict[str, Shape] = field(default_factory=dict)
    is_turn: bool = True


VERBS: dict[str, Verb] = {
    "write": Verb(write, needs={"text": TEXTS}),
    "append": Verb(append, needs={"text": TEXTS}),
    "replace": Verb(replace, needs={"old": TEXTS, "new": TEXTS}),
    "delete": Verb(delete),
    "run": Verb(run),
    "say": Verb(say, takes=TEXTS),
    "sleep": Verb(sleep, takes=NUMBER, is_turn=False),
    "usage": Verb(usage, takes=USAGE, is_turn=False),
    "fail": Verb(fail, may={"kind": TEXT, "exit": EXIT_CODE, "reset_in": NUMBER}, is_turn=False),
}
RULE_KEYS = {"when": TEXTS, "unless": TEXTS, "model": TEXTS, "resumed": SWITCH, "do": ACTIONS}


def unusable(message: str) -> Failure:
    """A fault of the script or the command line, not of the work."""
    return Failure(message, kind="cli_usage", exit=2)


def read_script(path: str) -> list[Action]:
    """The rules of the script at `path`, checked as a whole before any of them acts."""
    if not path:
        raise unusable(f"there is no script: set {SCRIPT_VARIABLE}, or `script` in [agents.offline] of gump.toml")
    try:
        script = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise unusable(f"{path}: the script cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise unusable(f"{path}: the script is not JSON: {error}") from error
    rules = script.get("rules") if isinstance(script, dict) else None
    if not isinstance(rules, list):
        raise unusable(f'{path}: expected {{"rules": [...]}}')
    for index, rule in enumerate(rules):
        check_rule(rule, f"{path}: rules[{index}]")
    return rules


def check_rule(rule: Json, place: str) -> None:
    """Refuse a rule that could not be carried out."""
    if not isinstance(rule, dict) or "do" not in rule:
        raise unusable(f"{place}: expected an object with `do`, a list of actions")
    check_keys(rule, RULE_KEYS, place)
    for index, action in enumerate(rule["do"]):
        check_action(action, f"{place}.do[{index}]")


def check_action(action: Json, place: str) -> None:
    """Refuse an action that is not one of `VERBS` with its keys."""
    names = [key for key in action if key in VERBS] if isinstance(action, dict) else []
    if len(names) != 1:
        raise unusable(f"{place}: expected an object with one of {', '.join(VERBS)}")
    verb = VERBS[names[0]]
    for key in verb.needs:
        if key not in action:
            raise unusable(f"{place}: `{names[0]}` needs `{key}`")
    check_keys(action, {names[0]: verb.takes, **verb.needs, **verb.may}, place)


def check_keys(given: Action, allowed: dict[str, Shape], place: str) -> None:
    """Refuse a key that is not allowed here, and a value that is not of its shape."""
    for key, value in given.items():
        if key not in allowed:
            raise unusable(f"{place}: unknown key `{key}`; allowed are {', '.join(allowed)}")
        if not allowed[key].fits(value):
            raise unusable(f"{place}.{key}: expected {allowed[key].words}")


def listed(value: Json) -> list[Json]:
    """A list as it is, anything else as a list of one."""
    return value if isinstance(value, list) else [value]


def fits(rule: Action, prompt: str, call: Call) -> bool:
    """Whether `rule` is for this prompt, model and session."""
    return (
        all(text in prompt for text in listed(rule.get("when", [])))
        and not any(text in prompt for text in listed(rule.get("unless", [])))
        and ("model" not in rule or call.model in listed(rule["model"]))
        and rule.get("resumed", call.resumed) == call.resumed
    )


def carry_out(rules: list[Action], prompt: str, call: Call) -> None:
    """Do what the first rule that fits says."""
    rule = next((rule for rule in rules if fits(rule, prompt, call)), None)
    if rule is None:
        head = "\n".join(prompt.strip().splitlines()[:5])[:500]
        raise unusable(f"no rule of the script fits this prompt (model `{call.model}`):\n{head}")
    call.told = any("usage" in action for action in rule["do"])
    for action in rule["do"]:
        verb = next(VERBS[key] for key in action if key in VERBS)
        if verb.is_turn:
            call.turn(prompt, action)
        verb.perform(call, action)


def open_call(arguments: list[str]) -> Call:
    """The call that the command line (`--model NAME`, `--session ID`) and the environment describe."""
    options = dict(zip(arguments[::2], arguments[1::2], strict=False))
    if len(arguments) % 2 or not options.keys() <= {"--model", "--session"}:
        raise unusable("usage: offline_agent.py [--model NAME] [--session ID] < PROMPT")
    session = options.get("--session", "")
    return Call(options.get("--model", ""), session or str(uuid.uuid4()), bool(session), pace())


def pace() -> float:
    """Seconds that an action takes for show."""
    try:
        speed = float(os.environ.get(SPEED_VARIABLE, "0"))
    except ValueError:
        raise unusable(f"{SPEED_VARIABLE} must be a number, such as 1 or 2") from None
    return min(PACE / speed, LONGEST_PACE) if speed > 0 else 0.0


def main(arguments: list[str]) -> int:
    """Carry out one call; the exit code."""
    call = Call("", "", False, 0.0)
    try:
        call = open_call(arguments)
        call.emit("session", id=call.session, model="-".join(filter(None, ("offline", call.model))))
        prompt = sys.stdin.buffer.read().decode("utf-8", "replace")
        carry_out(read_script(os.environ.get(SCRIPT_VARIABLE, "")), prompt, call)
    except Failure as failure:
        return give_up(call, failure)
    except BrokenPipeError:
        return 1  # nobody listens any more, so there is nobody to tell
    except (OSError, UnicodeError) as error:
        return give_up(call, Failure(f"an action failed: {error}"))
    call.emit("result", text=call.said[-1] if call.said else "")
    return 0


def give_up(call: Call, failure: Failure) -> int:
    """Tell of the failure, in the stream and on standard error."""
    wait = {} if failure.reset_in is None else {"reset_at": time.time() + failure.reset_in}
    call.emit("error", kind=failure.kind, message=failure.message, fatal=True, **wait)
    print(f"offline agent: {failure.message}", file=sys.stderr)  # noqa: T201
    return failure.exit


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
