"""Random small workflows, random edits of them and of their repository, and random ways of running."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any

AGENTS = ("offline-a", "offline-b", "tool", "tool/m")
GATES = (
    'bash: "! grep -qs bad f*.txt"',
    'bash: "true"',
    'bash: "test -e a.txt"',
    "test",
    "untouched: f2.txt",
    "touched: '*.txt'",
)
HARMLESS = ('bash: "true"', 'bash: "test -e a.txt"', "lint")
CONDITIONS = ({"attempt": 2}, {"not": "gate.bash"}, {"on": "gate"}, {"on": "verdict"}, {"attempt": 3})

Step = dict[str, Any]


@dataclass
class Case:
    """A workflow, and everything around it that a run may depend on."""

    random: random.Random
    steps: list[Step] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    spec: int = 0
    color: int = 0
    test: int = 0
    comment: int = 0
    shuffled: int = 0
    kind: str = ""
    how: dict[str, Any] = field(default_factory=dict)

    def start(self) -> None:
        self.files = {"a.txt": "0\n", "src/b.txt": "0\n"}
        for number in range(self.random.randint(1, 4)):
            self.steps.append(self._step(number))
        for _ in range(self.random.randint(1, 3)):
            self._session()

    def edit(self) -> None:
        """Change one thing, or nothing but how it is run."""
        edits = [
            *(self._prompt, self._file, self._gate) * 2,
            *(self._retry, self._retry_prompt) * 3,
            *(self._agent, self._order, self._spec, self._config, self._swap, self._drop, self._session, self._nothing),
        ]
        edit = self.random.choice(edits)
        self.kind = edit.__name__
        edit()
        self.how = self.random.choice(
            [{}] * 8
            + [{"force": True}, {"recheck": True}, {"agent": "offline-b"}, {"base": "HEAD~1"}, {"dirty": True}]
            + [{"from_step": self.random.choice(self.steps)["name"]}]
        )

    def workflow(self) -> str:
        """The workflow's text. JSON is YAML too; the order of keys and the comments are what an edit may change."""
        text = [f"# {self.comment}", "name: case", "steps:"]
        for step in self.steps:
            text += self._lines(step, "  ")
        return "\n".join(text) + "\n"

    def config(self) -> str:
        return (
            f'[validation]\ntest_cmd = "{("true", "! grep -qs bad f*.txt", "echo tested")[self.test]}"\n'
            '[agents.tool]\ncommand = ["true"]\nresume = ["true", "{session_id}"]\nformat = "jsonl"\n'
            f'model_args = ["{{model}}"]\nenv = {{ COLOR = "{self.color}" }}\n'
        )

    def _lines(self, step: Step, indent: str) -> list[str]:
        keys = [key for key in step if step[key] not in (None, [], {})]
        random.Random(self.shuffled).shuffle(keys)
        lines = [f"{indent}- # {self.comment}"]
        for key in keys:
            if key == "each":
                lines.append(f"{indent}  each:")
                for inner in step["each"]:
                    lines += self._lines(inner, indent + "    ")
            elif key == "gate":
                lines += [f"{indent}  gate:", *(f"{indent}    - {gate}" for gate in step["gate"])]
            else:
                lines.append(f"{indent}  {key}: {json.dumps(step[key])}")
        return lines

    def _step(self, number: int, *, inner: bool = False) -> Step:
        kinds = ["code", "code", "code", "validate", "artifact"] + ([] if inner else ["split", "gate"])
        kind = self.random.choice(kinds)
        name = f"{'in' if inner else 's'}{number}"
        if kind == "gate":
            return {"name": name, "gate": self._gates(2) or ["lint"]}
        step: Step = {
            "name": name,
            "type": kind,
            "agent": self.random.choice(AGENTS),
            "prompt": self._text(number, inner=inner),
            "gate": [self.random.choice(GATES[:2]), *self._gates(1)] if kind == "code" else [],
            "retry": [],
        }
        if kind == "split":
            step["each"] = [self._step(n, inner=True) for n in range(self.random.randint(1, 2))]
        elif self.random.random() < 0.7:
            step["retry"] = self._entries(has_gates=_has_bash(step))
        return step

    def _text(self, number: int, *, inner: bool = False) -> str:
        """A prompt that reads what it may: the spec, the task, an earlier step, a failed attempt."""
        parts = [f"Do {self.random.randint(0, 2)}"]
        if self.random.random() < 0.3:
            parts.append("{spec}")
        if inner:
            parts.append("{task.description}")
        else:
            parts += [self._reference(step) for step in self.steps[:number] if self.random.random() < 0.4]
        return "\n".join(parts)

    def _reference(self, step: Step) -> str:
        fields = {"code": ["diff", "files", "attempt", "retries"], "validate": ["comments", "output", "cost"]}
        kind = step.get("type", "gate")
        written = fields.get(kind, ["output", "agent"] if kind != "gate" else ["check_result"])
        return f"{{{step['name']}.{self.random.choice(written)}}}"

    def _gates(self, most: int) -> list[str]:
        return [self.random.choice(GATES) for _ in range(self.random.randint(0, most))]

    def _entries(self, *, has_gates: bool) -> list[Step]:
        entries: list[Step] = []
        for condition in CONDITIONS:
            if self.random.random() < 0.5 and (has_gates or "not" not in condition):
                overrides: Step = {}
                if self.random.random() < 0.6:
                    overrides["prompt"] = f"Again {self.random.randint(0, 1)}: {{error}}"
                if self.random.random() < 0.3:
                    overrides["agent"] = self.random.choice(AGENTS)
                if self.random.random() < 0.3:
                    overrides["session"] = "new"
                if self.random.random() < 0.3:
                    overrides["worktree"] = "reset"
                entries.append({**condition, **(overrides or {"session": "new"})})
        return [*entries, {"exit": 3}]

    def _all(self) -> list[Step]:
        return [*self.steps, *(inner for step in self.steps for inner in step.get("each", []))]

    def _with_agent(self) -> Step | None:
        return self.random.choice([step for step in self._all() if "agent" in step] or [None])

    def _prompt(self) -> None:
        if step := self._with_agent():
            step["prompt"] = step["prompt"].replace(step["prompt"][:4], f"Do {self.random.randint(0, 2)}", 1)

    def _file(self) -> None:
        name = self.random.choice(["a.txt", "src/b.txt", "f1.txt", ".gump/workflows/note.md"])
        self.files[name] = f"{self.random.randint(0, 2)}\n"

    def _gate(self) -> None:
        """Any gate of a step with one attempt. What a gate lets an attempt pass also decides how many there are, and a
        stored result is not made again for that; so a step with a retry gets only gates that always pass.
        """
        step = self.random.choice(self._all())
        if step.get("type", "code") != "code":
            return
        if step.get("retry"):
            step["gate"] = [gate for gate in step["gate"] if gate not in HARMLESS[2:]]
            step["gate"] += self.random.choice([[], ["lint"]])
        else:
            step["gate"] = self._gates(2) or ["lint"]

    def _agent(self) -> None:
        if step := self._with_agent():
            step["agent"] = self.random.choice(AGENTS)

    def _order(self) -> None:
        self.comment += 1
        self.shuffled = self.random.randint(0, 9)

    def _retry(self) -> None:
        if with_retry := [step for step in self._all() if step.get("retry")]:
            step = self.random.choice(with_retry)
            step["retry"] = self._entries(has_gates=_has_bash(step))

    def _retry_prompt(self) -> None:
        for step in self._all():
            for entry in step.get("retry", []):
                if "prompt" in entry:
                    entry["prompt"] = f"Again {self.random.randint(0, 1)}: {{error}}"

    def _spec(self) -> None:
        self.spec = self.random.randint(0, 2)

    def _config(self) -> None:
        self.color = self.random.randint(0, 1)
        if not any(step.get("retry") and "test" in step["gate"] for step in self._all()):
            self.test = self.random.randint(0, 2)

    def _swap(self) -> None:
        """Change the order of two steps that nothing refers to, which changes what each starts from."""
        text = json.dumps(self.steps)
        free = [n for n, step in enumerate(self.steps) if f"{{{step['name']}." not in text and "{s" not in str(step)]
        free = [n for n in free if not any(s.get("session") for s in self.steps)]
        if len(free) > 1:
            one, other = self.random.sample(free, 2)
            self.steps[one], self.steps[other] = self.steps[other], self.steps[one]

    def _drop(self) -> None:
        text = json.dumps(self.steps)
        free = [s for s in self.steps if f"{{{s['name']}." not in text and f'"from": "{s["name"]}"' not in text]
        if len(self.steps) > 1 and free and self.random.random() < 0.5:
            self.steps.remove(self.random.choice(free))

    def _session(self) -> None:
        agents = [step for step in self.steps if "agent" in step]
        if len(agents) > 1:
            one, other = sorted(self.random.sample(range(len(agents)), 2))
            agents[other]["session"] = self.random.choice([None, *[{"from": agents[one]["name"]}] * 3])

    def _nothing(self) -> None:
        pass


def _has_bash(step: Step) -> bool:
    return any(gate.startswith("bash") for gate in step["gate"])
