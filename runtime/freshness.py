"""Skip or run: the one function that decides it for a step, for `plan`, `explain` and `run` alike.

An agent step is skipped when a result is stored under its key, its trees still exist, the retry policy would have led
the same way, and every gate holds on the stored tree. Gates that only look at the change are judged right here; a gate
that runs a command holds when its own key was seen to pass. A result whose commands were not all judged yet is
`regate`: the missing gates run on the stored tree, and the agent is called only if one of them fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from gumpc import ir
from gumpc.digest import Manifest, digest_of, manifest
from gumpc.plan import PlanNode
from runtime.cache import Cache
from runtime.checks import Checker
from runtime.gates.verdict import Verdict
from runtime.inputs import Preparer, StepInputs, describe
from runtime.prompt import failure_context
from runtime.results import Latest, Stored, latest_from, stored_from
from runtime.retry import Failure, Overrides, overrides_for
from runtime.view import Judged, Moment, View

Action = Literal["skip", "regate", "run", "pass"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to a step, and why. `tree` is what a skipped step hands on; `pending` are the gates to run."""

    node: PlanNode
    action: Action
    reason: str
    tree_in: str
    inputs: StepInputs | None = None
    manifest: Manifest | None = None
    stored: Stored | None = None
    latest: Latest | None = None
    tree: str = ""
    verdicts: tuple[Verdict, ...] = ()
    pending: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The step's key; empty for steps that have none."""
        return self.manifest.key if self.manifest else ""


@dataclass(slots=True)
class Freshness:
    """Decides for one run or plan. `invalid` are the steps whose stored results do not count this time."""

    view: View
    preparer: Preparer
    checker: Checker
    cache: Cache
    invalid: Callable[[str], str]

    def decide(self, node: PlanNode) -> Decision:
        """The decision for a node whose predecessors have all passed."""
        tree = self.view.tree_before(node)
        if isinstance(node.step, ir.AgentStep) and node.step.agent is not None:
            return self._agent_step(node, node.step)
        if isinstance(node.step, ir.Call):
            return Decision(node, "pass", "", tree, tree=tree)
        return self._gates_alone(node, tree)

    def signature(self, inputs: StepInputs, node: PlanNode, failures: list[Failure]) -> str:
        """What an attempt after these failures is set up with, apart from what the failures themselves say."""
        overrides = overrides_for(inputs.step.retry, failures)
        moment = Moment(node)
        agent = self._agent_of(overrides, node) if overrides.agent else ""
        prompt = overrides.prompt or inputs.step.prompt
        text = self.view.render_open(prompt, moment) if prompt else ""
        told: list[object] = []
        if failures:
            told = [self.view.max_error_chars, self.view.max_diff_chars]
            told += [] if overrides.prompt else [failure_context(number=0, attempts=0, error="", same_session=False)]
        return digest_of([agent, overrides.session, overrides.reset, overrides.prompt is not None, text, *told])

    def _agent_of(self, overrides: Overrides, node: PlanNode) -> list[str]:
        """The agent that the overrides put in place, by what it is and not by its name alone."""
        assert overrides.agent is not None, "asked only when there is one"
        name = self.view.render_open(overrides.agent, Moment(node)).strip()
        spec = self.preparer.find_agent(name)
        return [name, spec.adapter, spec.model or "", self.preparer.agent_recipe(spec)] if spec else [name]

    def keyed(self, node: PlanNode, step: ir.AgentStep) -> tuple[StepInputs, Manifest]:
        """The step's inputs as they are now, with the key that they make."""
        return self._keyed(node, self.preparer.prepare(node, step))

    def latest(self, node: PlanNode) -> Latest | None:
        """What the step's key was made of when it last passed in this repository."""
        return latest_from(self.cache.get("last", self.latest_key(node)))

    def latest_key(self, node: PlanNode) -> str:
        """Where the latest manifest of a step is kept."""
        return digest_of([self.view.plan.workflow.name, node.id])

    def _agent_step(self, node: PlanNode, step: ir.AgentStep) -> Decision:
        inputs, made = self.keyed(node, step)
        run = Decision(node, "run", "", inputs.tree, inputs, made, latest=self.latest(node))
        if not step.cache:
            return replace(run, reason="its `cache` is false")
        if why := self.invalid(node.id):
            return replace(run, reason=why)
        stored = stored_from(self.cache.get("step", made.key))
        if stored is None:
            return replace(
                run, reason=why_missed(made, run.latest, partial(self._changed_files, run.latest, inputs.tree))
            )
        return self._with_result(run, stored)

    def _keyed(self, node: PlanNode, inputs: StepInputs) -> tuple[StepInputs, Manifest]:
        """The inputs with their key; a call equal to another step's of this run is another call, with its own key."""
        others = {step.key for step in self.view.state.steps.values() if step.id != node.id and step.key}
        made = manifest(partial(describe, inputs))
        while made.key in others:
            inputs = replace(inputs, copy=inputs.copy + 1)
            made = manifest(partial(describe, inputs))
        return inputs, made

    def _changed_files(self, latest: Latest | None, tree: str) -> list[str]:
        """The files that count and differ between the tree a step last started from and the present one."""
        repository = self.view.repository
        if latest is None or not repository.has_objects(latest.tree_in, tree):
            return []
        counted = self.preparer.counted_tree
        return [change.path for change in repository.changed(counted(latest.tree_in), counted(tree))]

    def _with_result(self, run: Decision, stored: Stored) -> Decision:
        assert run.inputs is not None
        if not self.view.repository.has_objects(stored.tree_in, stored.tree):
            return replace(run, reason="its stored result has lost its git objects")
        if why := self._changed_retry(run.inputs, run.node, stored):
            return replace(run, reason=why)
        tree = self._carried(stored, run.inputs)
        if tree is None:
            return replace(run, reason="its stored patch does not fit the tree any more")
        judged = Judged(run.inputs.tree, tree, stored.values)
        verdicts, pending = self.checker.known(run.node, judged)
        failed = next((v for v in verdicts if not v.passed), None)
        if failed:
            return replace(run, reason=f"the stored result does not pass the gate {failed.name}")
        result = replace(run, stored=stored, tree=tree, verdicts=verdicts, pending=pending)
        if pending:
            names = ", ".join(pending)
            return replace(result, action="regate", reason=f"stored result, not judged yet by: {names}")
        return replace(result, action="skip", reason=f"same as run {stored.run[:8]}")

    def _changed_retry(self, inputs: StepInputs, node: PlanNode, stored: Stored) -> str:
        """Why the stored attempts would be made in another way today; empty when they would not."""
        failures: list[Failure] = []
        for number, past in enumerate(stored.attempts, 1):
            is_set_up_alike = past.signature == self.signature(inputs, node, failures)
            if len(stored.attempts) > 1 and not is_set_up_alike:
                return f"the prompt or the retry of attempt {number} changed"
            failures.append(Failure(past.failure, past.gates))
        return ""

    def _carried(self, stored: Stored, inputs: StepInputs) -> str | None:
        """The tree that the stored patch gives on the present one; None when it does not fit."""
        if inputs.step.worktree != "read-write" or stored.tree == stored.tree_in:
            return inputs.tree
        if stored.tree_in == inputs.tree:
            return stored.tree
        merged = self.view.repository.merge(base=stored.tree_in, ours=inputs.tree, theirs=stored.tree)
        return merged.tree

    def _gates_alone(self, node: PlanNode, tree: str) -> Decision:
        """A step without an agent: its gates judge the tree as it stands."""
        judged = Judged(self.view.state.tree, tree, {})
        if why := self.invalid(node.id):
            return Decision(node, "run", why, tree)
        verdicts, pending = self.checker.known(node, judged)
        failed = [v.name for v in verdicts if not v.passed]
        if failed or pending:
            names = ", ".join([*failed, *pending])
            return Decision(node, "run", f"not judged on this tree: {names}", tree, pending=pending)
        return Decision(node, "skip", "same tree, same gates", tree, tree=tree, verdicts=verdicts)


def why_missed(made: Manifest, latest: Latest | None, changed_files: Callable[[], list[str]]) -> str:
    """Which part of the key is another than last time, with the place in it where that is cheap to say."""
    if latest is None:
        return "new"
    changed = [name for name, digest in made.parts.items() if latest.parts.get(name) != digest]
    if not changed:
        return "its stored result is gone"
    return "; ".join(_change(name, made, latest, changed_files) for name in changed)


def _change(name: str, made: Manifest, latest: Latest, changed_files: Callable[[], list[str]]) -> str:
    if name == "tree":
        files = changed_files()
        shown = ", ".join(files[:2]) + (f" and {len(files) - 2} more" if len(files) > 2 else "")
        return f"tree changed: {shown}" if shown else "tree changed"
    if name == "prompt":
        old = dict(latest.fields.get(name, ())).get("text", "").splitlines()
        new = dict(made.fields[name])["text"].splitlines()
        pairs = zip([*old, None], [*new, None], strict=False)
        line = next((n for n, (a, b) in enumerate(pairs, 1) if a != b), 1)
        return f"prompt changed (line {line})"
    fields = dict(latest.fields.get(name, ()))
    names = [label for label, value in made.fields[name] if fields.get(label) != value]
    return f"{name} changed" + (f": {', '.join(names[:2])}" if names else "")
