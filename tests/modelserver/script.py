"""The script of a model server: which answer belongs to which request, found from what the request says.

A request carries its whole conversation, so the answer is a function of the request alone and the server holds no
state per session: a conversation that is resumed, forked or retried finds its place by itself, in any order and in
parallel. The only counter is that of a `Fault` which goes away after some requests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Block = Mapping[str, Any]
"""A content block of an answer, as the API has it; a tool call needs no `id`."""

_WORKING_DIRECTORY = re.compile(r"working directory: *(\S[^\n]*)", re.IGNORECASE)
_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)


def say(text: str) -> Block:
    """A text block."""
    return {"type": "text", "text": text}


def call(tool: str, **input: object) -> Block:
    """A tool call; `{cwd}` in its strings becomes the session's working directory."""
    return {"type": "tool_use", "name": tool, "input": input}


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong instead of an answer: an error status, or (`cut`) a stream that breaks off in the middle.

    The first `times` requests get it, all when None.
    """

    status: int = 500
    kind: str = "api_error"
    message: str = "scripted fault"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    times: int | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer of the model, or a fault; `delay` seconds pass before it."""

    blocks: Sequence[Block] = ()
    usage: Mapping[str, int] = field(default_factory=lambda: {"input_tokens": 100, "output_tokens": 20})
    fault: Fault | None = None
    delay: float = 0.0

    @property
    def calls_tool(self) -> bool:
        return any(block["type"] == "tool_use" for block in self.blocks)


@dataclass(frozen=True, slots=True)
class Rule:
    """The turns for the prompts that hold every string of `when`, asked of a model whose id holds `model`."""

    when: Sequence[str]
    turns: Sequence[Turn]
    model: str = ""
    name: str = ""

    def matches(self, prompt: str, model: str) -> bool:
        return self.model in model and all(part in prompt for part in self.when)


@dataclass(frozen=True, slots=True)
class Cue:
    """Where a request stands in the script: its rule, the prompt that matched, and which turn is due."""

    rule: Rule
    prompt: str
    index: int
    turn: Turn


class Script:
    """An ordered list of rules; the first that matches the latest prompt, else an earlier prompt, is played."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)

    @classmethod
    def load(cls, path: Path) -> Script:
        """Read a JSON file: a list of rules, each an object with the fields of `Rule`, `Turn` and `Fault`."""
        return cls([_rule(entry) for entry in json.loads(path.read_text(encoding="utf-8"))])

    def cue(self, body: Mapping[str, Any]) -> Cue | None:
        """The answer due for a request, or None when no rule matches any prompt of its conversation."""
        model = str(body.get("model", ""))
        messages = body.get("messages", [])
        for position, prompt in _prompts_latest_first(messages):
            for rule in self.rules:
                if rule.matches(prompt, model):
                    return _cue(rule, prompt, _tool_turns(messages[position + 1 :]))
        return None


def working_directory(body: Mapping[str, Any]) -> str:
    """The directory that the CLI says it works in, from its system prompt, else from its messages; "" if unsaid."""
    for part in (body.get("system"), [message.get("content") for message in body.get("messages", [])]):
        for text in _texts(part):
            if found := _WORKING_DIRECTORY.search(text):
                return found[1].strip()
    return ""


def with_directory(value: Any, directory: str) -> Any:
    """`value` with `{cwd}` replaced in each string inside."""
    if isinstance(value, str):
        return value.replace("{cwd}", directory)
    if isinstance(value, Mapping):
        return {key: with_directory(item, directory) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [with_directory(item, directory) for item in value]
    return value


def _cue(rule: Rule, prompt: str, index: int) -> Cue:
    turn = rule.turns[index] if index < len(rule.turns) else Turn([say("Done.")])
    return Cue(rule, prompt, index, turn)


def _prompts_latest_first(messages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, str]]:
    for position in range(len(messages) - 1, -1, -1):
        if messages[position].get("role") == "user":
            text = "\n".join(_texts(messages[position].get("content")))
            if prompt := _REMINDER.sub("", text).strip():
                yield position, prompt


def _tool_turns(messages: Sequence[Mapping[str, Any]]) -> int:
    """How many of the model's answers called a tool; an answer may be spread over neighbouring messages."""
    count, counted = 0, False
    for message in messages:
        if message.get("role") != "assistant":
            counted = False
        elif not counted and _calls_tool(message.get("content")):
            count, counted = count + 1, True
    return count


def _calls_tool(content: Any) -> bool:
    return isinstance(content, list) and any(block.get("type") == "tool_use" for block in content)


def _texts(content: Any) -> Iterator[str]:
    """Every text in a message's content; what tools returned is not among them."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for item in content:
            yield from _texts(item)
    elif isinstance(content, Mapping) and content.get("type") == "text":
        yield str(content.get("text", ""))


def _rule(entry: Mapping[str, Any]) -> Rule:
    when = entry["when"]
    turns = [_turn(turn) for turn in entry["turns"]]
    return Rule([when] if isinstance(when, str) else when, turns, entry.get("model", ""), entry.get("name", ""))


def _turn(entry: Mapping[str, Any]) -> Turn:
    fields = dict(entry)
    if fields.get("fault") is not None:
        fields["fault"] = Fault(**fields["fault"])
    return Turn(**fields)
