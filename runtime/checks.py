"""Gates of a step: which are known without running anything, which must run, and the keys under which verdicts are kept.

A gate that only looks at the change is judged every time, since that costs nothing. A gate that runs a command has a
key over its kind, its command with the values in it, and the tree it judges; a verdict is kept only when it passed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gumpc import ir
from gumpc.config import Config
from gumpc.digest import Sink, manifest
from gumpc.gate_commands import GateCommand
from gumpc.plan import PlanNode
from gumpc.shell import variable
from runtime.cache import Cache
from runtime.errors import RunError
from runtime.gates import Bench, Check, Subject, blast_radius, command_of, executes, judge, missing_tool
from runtime.gates.verdict import Verdict
from runtime.results import to_payload, verdict_from
from runtime.view import Judged, Moment, View

TreeKey = Callable[[str], str]


@dataclass(slots=True)
class Checker:
    """Judges the gates of steps. `recheck` makes kept verdicts not count."""

    view: View
    config: Config
    cache: Cache
    tree_key: TreeKey
    environment: Mapping[str, str]
    recheck: bool = False

    def known(self, node: PlanNode, judged: Judged) -> tuple[tuple[Verdict, ...], tuple[str, ...]]:
        """The verdicts that are known without running anything, and the names of the gates that must run."""
        verdicts, pending = [], []
        for gate, check in self._checks(node, judged):
            verdict = self._known(gate, check, node, judged)
            if verdict is None:
                pending.append(check.name)
            else:
                verdicts.append(verdict)
        return (*verdicts, *self._blast_radius(node, judged)), tuple(pending)

    def judge(
        self, node: PlanNode, judged: Judged, *, directory: Callable[[], Path], artifacts: Path
    ) -> tuple[Verdict, ...]:
        """Every gate's verdict, in order; those that are known are not run again, those that pass are kept."""
        subject = self._subject(node, judged)
        verdicts = []
        for gate, check in self._checks(node, judged):
            verdict = self._known(gate, check, node, judged)
            if verdict is None:
                bench = Bench(
                    directory=directory,
                    environment=dict(self.environment),
                    configured=self.config.validation.commands,
                    timeout=self.config.validation.timeout,
                    artifacts=artifacts,
                )
                verdict = judge(check, subject, bench=bench)
                self._keep(gate, check, node, judged, verdict)
            verdicts.append(verdict)
        return (*verdicts, *self._blast_radius(node, judged))

    def _checks(self, node: PlanNode, judged: Judged) -> list[tuple[ir.Gate, Check]]:
        if isinstance(node.step, ir.Call):
            return []
        moment = Moment(node, judged=judged)
        return [(gate, self._check(gate, moment)) for gate in node.step.gates]

    def _check(self, gate: ir.Gate, moment: Moment) -> Check:
        values = {}
        if gate.script:
            values = {variable(n): self.view.value(r, moment) for n, r in enumerate(gate.script.values, 1)}
        return Check(
            kind=gate.kind,
            name=gate.name,
            script=gate.script.text if gate.script else "",
            values=values,
            globs=gate.globs,
            threshold=gate.threshold,
        )

    def _subject(self, node: PlanNode, judged: Judged) -> Subject:
        repository = self.view.repository
        return Subject(
            step_type=node.step.type if isinstance(node.step, ir.AgentStep) else "gate",
            changed=tuple(c.path for c in repository.changed(judged.tree_in, judged.tree)),
            output=judged.values.get("output", ""),
            read=lambda path: _text(repository.read(judged.tree, path)),
        )

    def _known(self, gate: ir.Gate, check: Check, node: PlanNode, judged: Judged) -> Verdict | None:
        if not executes(check):
            return judge(check, self._subject(node, judged), bench=None)
        command = self._command(check, judged)
        if command is None or missing_tool(command, self.environment):
            return self._without_command(check, command, node)
        if self.recheck or not gate.cache:
            return None
        return verdict_from(self.cache.get("gate", self._key(check, command, judged)))

    def _without_command(self, check: Check, command: GateCommand | None, node: PlanNode) -> Verdict:
        tool = missing_tool(command, self.environment) if command else ""
        why = f"{tool} is not installed" if tool else "no command is configured, and no marker file names one"
        if check.kind in ("lint", "coverage"):
            return Verdict(check.name, check.kind, True, skipped=why)
        raise RunError(
            f"step {node.id}: the gate {check.name} cannot run: {why}",
            help=f"install it, or set {check.kind}_cmd under [validation] in gump.toml",
        )

    def _command(self, check: Check, judged: Judged) -> GateCommand | None:
        read = self.view.repository.read
        return command_of(check, configured=self.config.validation.commands, read=lambda path: _text(read(judged.tree, path)))

    def _keep(self, gate: ir.Gate, check: Check, node: PlanNode, judged: Judged, verdict: Verdict) -> None:
        command = self._command(check, judged)
        if verdict.passed and not verdict.skipped and command is not None and gate.cache:
            self.cache.put("gate", self._key(check, command, judged), to_payload(verdict))

    def _key(self, check: Check, command: GateCommand, judged: Judged) -> str:
        def describe(sink: Sink) -> None:
            sink.part("gate")
            sink.field("kind", check.kind)
            sink.field("script", command.script)
            sink.field("threshold", str(check.threshold))
            for name, value in sorted(check.values.items()):
                sink.field(name, value)
            sink.part("tree")
            sink.field("id", self.tree_key(judged.tree))

        return manifest(describe).key

    def _blast_radius(self, node: PlanNode, judged: Judged) -> tuple[Verdict, ...]:
        task = self.view.task_of(node)
        if not isinstance(node.step, ir.AgentStep) or task is None or not task.files:
            return ()
        if node.step.type != "code" or node.step.blast_radius == "off":
            return ()
        changed = tuple(c.path for c in self.view.repository.changed(judged.tree_in, judged.tree))
        verdict = blast_radius(changed, task.files)
        if verdict.passed:
            return ()
        if node.step.blast_radius == "warn":
            return (Verdict(verdict.name, verdict.kind, True, comments=verdict.error),)
        return (verdict,)


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8", "replace")
