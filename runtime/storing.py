"""What a run leaves behind: results in the cache with the commits that keep their trees, snapshots, and `state.json`.

The order makes a crash harmless: trees get their ref before the cache names them, and the cache names a result before
the ledger says that the step is over. An entry without its objects is a miss, never a wrong result.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from gumpc.digest import manifest
from gumpc.fields import FIELDS, METRICS
from gumpc.plan import PlanNode
from gumpc.tasks import Task
from runtime import events as ev
from runtime.cache import Cache, CacheUnavailable
from runtime.files import write_atomic
from runtime.freshness import Decision, Freshness
from runtime.gates.verdict import Verdict
from runtime.inputs import StepInputs, describe
from runtime.journal import Journal
from runtime.repository import Repository
from runtime.results import CACHE_REFS, Latest, PastAttempt, Stored, to_payload
from runtime.retry import Failure
from runtime.runs import RunDirectory
from runtime.scheduler import failure_of
from runtime.state import Attempt, StepState
from runtime.view import View, state_field

RUN_REFS = "refs/gumpc/runs/"
SEQ = "run.seq"


@dataclass(slots=True)
class Storing:
    """Stores for one run."""

    journal: Journal
    repository: Repository
    cache: Cache
    freshness: Freshness
    enabled: bool = True
    _written: dict[str, dict[str, str]] = field(default_factory=dict)

    def values_of(self, state: StepState, attempt: Attempt) -> dict[str, str]:
        """The values that a step writes when this attempt has passed; a diff is made from the trees when asked for."""
        values = dict(attempt.values)
        values |= {"agent": attempt.agent, "session_id": attempt.session_id, "attempt": str(attempt.number)}
        values |= {name: state_field(state, name) for name in (*METRICS, "retries")}
        return values | {"duration": str(max(0, self.journal.state.now_ms - state.started_ms))}

    def store(
        self,
        node: PlanNode,
        inputs: StepInputs,
        state: StepState,
        attempt: Attempt,
        tree: str,
        tasks: tuple[Task, ...] | None,
    ) -> None:
        """Keep a result that passed; a step whose `cache` is false keeps none.

        Nor is one kept whose inputs were other ones when it began: the run was interrupted, and the configuration or
        what a context command prints has changed since.
        """
        made = manifest(partial(describe, inputs))
        past = self._past(node, inputs, state)
        if not self.enabled:
            return
        if made.key != state.key or any(a.signature != p.signature for a, p in zip(state.attempts, past, strict=True)):
            self._warn(node, "its inputs changed while it was under way, so its result is not stored")
            return
        stored = Stored(
            run=self.journal.state.id,
            step=node.id,
            workflow=self.journal.state.workflow,
            agent=attempt.agent,
            tree_in=state.tree_in,
            tree=tree,
            values=self.values_of(state, attempt),
            attempts=past,
            parts=made.parts,
            fields=made.fields,
            tasks=tasks,
            cost=state.cost,
            duration_ms=max(0, self.journal.state.now_ms - state.started_ms),
            usage=state.usage,
            gates=attempt.gates,
            created=str(self.journal.state.now_ms),
        )
        latest = Latest(made.key, stored.run, state.tree_in, made.parts, made.fields)
        try:
            if inputs.step.cache:
                self._keep_objects(made.key, stored)
                self.cache.put("step", made.key, to_payload(stored))
            self.cache.put("last", self.freshness.latest_key(node), to_payload(latest))
        except CacheUnavailable as error:
            self._warn(node, f"{error}; its result is not stored")

    def _warn(self, node: PlanNode, message: str) -> None:
        self.journal.append(ev.StepWarned(node.id, message))

    def remember_latest(self, decision: Decision) -> None:
        """A skipped step has this key now: what changes later is told against it."""
        if decision.manifest is None or (decision.latest and decision.latest.key == decision.key):
            return
        made = decision.manifest
        latest = Latest(made.key, self.journal.state.id, decision.tree_in, made.parts, made.fields)
        with contextlib.suppress(CacheUnavailable):  # it only serves to explain
            self.cache.put("last", self.freshness.latest_key(decision.node), to_payload(latest))

    def keep_manifest(self, decision: Decision, run: RunDirectory) -> None:
        """What the step's key is made of, and what it was made of before: `explain` reads it."""
        if decision.manifest is None:
            return
        folder = run.create_attempt_folder(decision.node.id, 1)
        latest = to_payload(decision.latest) if decision.latest else None
        now = Latest(
            decision.key, self.journal.state.id, decision.tree_in, decision.manifest.parts, decision.manifest.fields
        )
        text = json.dumps({"now": to_payload(now), "before": latest}, indent=1)
        write_atomic(folder / "manifest.json", text.encode())

    def snapshot(self, node: PlanNode, state: StepState, tree: str) -> str:
        """A commit of the step's tree on the run's ref, with what made it; nothing when the tree did not change."""
        if tree == state.tree_in:
            return ""
        run = self.journal.state
        ref = f"{RUN_REFS}{run.id}"
        parent = self.repository.ref(ref) or run.commit
        cost = "unpriced" if state.cost is None else f"{state.cost:.6f}"
        message = (
            f"{node.id}\n\nGump-Step: {node.id}\nGump-Key: {state.key}\nGump-Agent: {state.agent}\nGump-Cost: {cost}\n"
        )
        commit = self.repository.commit(tree, parents=(parent,), message=message)
        self.repository.set_ref(ref, commit)
        return commit

    def result_commit(self, tree: str) -> str:
        """A commit of what the run has come to, on the run's ref; empty when that is where it began."""
        run = self.journal.state
        if tree == run.tree:
            return ""
        ref = f"{RUN_REFS}{run.id}"
        tip = self.repository.ref(ref)
        if tip and self.repository.tree_of(tip) == tree:
            return tip
        commit = self.repository.commit(tree, parents=(tip or run.commit,), message=f"result of run {run.id}\n")
        self.repository.set_ref(ref, commit)
        return commit

    def write_state(self, view: View, run: RunDirectory) -> None:
        """Replace `state.json`: the flat map of every field that a step has written.

        `run.seq` is the number of the ledger's records that it stands for: a ledger with fewer has lost some.
        """
        state = self.journal.state
        fields = {"run.id": state.id, "run.status": state.status, SEQ: str(self.journal.seq)}
        for step in state.steps.values():
            fields |= self._written.get(step.id) or self._fields(step, view)
        text = json.dumps(fields, indent=1, ensure_ascii=False, sort_keys=True)
        write_atomic(run.state, text.encode("utf-8", "replace"))

    def _fields(self, step: StepState, view: View) -> dict[str, str]:
        """The fields of one step; those of a step that is over are made once."""
        fields = {f"{step.id}.{name}": view.field(step, name) for name in written_fields(step)}
        if step.is_over:
            self._written[step.id] = fields
        return fields

    def _past(self, node: PlanNode, inputs: StepInputs, state: StepState) -> tuple[PastAttempt, ...]:
        """How each attempt was set up and how it failed."""
        past: list[PastAttempt] = []
        failures: list[Failure] = []
        for attempt in state.attempts:
            signature = self.freshness.signature(inputs, node, failures)
            failure = failure_of(attempt)
            failures.append(failure)
            past.append(PastAttempt(attempt.agent, signature, "" if attempt.passed else failure.kind, failure.gates))
        return tuple(past)

    def _keep_objects(self, key: str, stored: Stored) -> None:
        """Refs are what keeps the trees of a result from being collected by git."""
        before = self.repository.commit(stored.tree_in, parents=(), message="before\n")
        after = self.repository.commit(stored.tree, parents=(before,), message=f"after {stored.step}\n")
        self.repository.set_ref(f"{CACHE_REFS}{key}", after)


def skipped_event(decision: Decision, verdicts: tuple[Verdict, ...]) -> ev.StepSkipped:
    """The event that lets a stored result, or gates that are known to hold, stand in for a step."""
    stored, node = decision.stored, decision.node
    return ev.StepSkipped(
        step=node.id,
        step_type=getattr(node.step, "type", node.step.kind),
        agent=stored.agent if stored else "",
        key=decision.key,
        run=stored.run if stored else "",
        tree_in=decision.tree_in,
        tree=decision.tree,
        values=dict(stored.values) if stored else {},
        gates=verdicts,
        saved_usd=stored.cost if stored else 0.0,
        saved_ms=stored.duration_ms if stored else sum(round(v.seconds * 1000) for v in verdicts),
        session_id=stored.session_id if stored else "",
        tasks=stored.tasks if stored else None,
    )


def state_seq(path: Path) -> int:
    """How many records a ledger had when the state file at `path` was written; 0 when there is no such file."""
    try:
        written = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return 0
    seq = written.get(SEQ, "") if isinstance(written, dict) else ""
    return int(seq) if isinstance(seq, str) and seq.isdecimal() else 0


def written_fields(step: StepState) -> tuple[str, ...]:
    """The fields that a step of this kind has in the state file."""
    fields = FIELDS.get(step.kind, FIELDS["gate"])
    gates = [f"gate.{g.name}{part}" for g in step.gates for part in ("", ".comments", ".error")]
    return (*fields, *gates)
