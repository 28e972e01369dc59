"""Gates of a step: which are known without running anything, which must run, and the keys of kept verdicts.

A gate that only looks at the change is judged every time, since that costs nothing. A gate that runs a command has a
key over its kind, its command with the values in it, and the tree it judges; a verdict is kept only when it passed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gumpc import ir
from gumpc.config import Config
from gumpc.digest import Sink, manifest
from gumpc.gate_commands import GateCommand
from gumpc.plan import PlanNode
from gumpc.shell import variable
from runtime import process
from runtime.cache import Cache
from runtime.errors import RunError
from runtime.gates.changes import blast_radius
from runtime.gates.check import Bench, Check, Subject
from runtime.gates.commands import EXECUTES, SKIPPABLE, command_of
from runtime.gates.judge import judge
from runtime.gates.verdict import Verdict
from runtime.results import to_payload, verdict_from
from runtime.view import Judged, Moment, View

TreeKey = Callable[[str], str]


@dataclass(slots=True)
class Checker:
    """Judges the gates of steps.

    `disregards` says of which nodes kept verdicts do not count, `keeps` whether verdicts are kept at all, `out_of_time`
    that the run's time is over.
    """

    view: View
    config: Config
    cache: Cache
    tree_key: TreeKey
    environment: Mapping[str, str]
    disregards: Callable[[str], bool] = lambda node: False
    keeps: bool = True
    out_of_time: Callable[[], bool] = lambda: False

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
        """Every gate's verdict, in order; those that are known are not run again, those that pass are kept.

        Raises RunError where the machine or the config, not the step, is at fault, and GateStopped when the run's time
        is over.
        """
        bench = Bench(
            directory=directory,
            environment=self.environment,
            artifacts=artifacts,
            run=lambda command, stop: process.run(command, stop=lambda: stop() or self.out_of_time()),
            configured=self.config.validation.commands,
            timeout=self.config.validation.timeout,
            error_limit=self.config.error_context.max_error_chars,
        )
        verdicts = []
        for gate, check in self._checks(node, judged):
            verdict = self._known(gate, check, node, judged)
            if verdict is None:
                verdict = judge(check, self._subject(node, judged), bench=bench)
                self._keep(gate, check, judged, verdict)
            verdicts.append(verdict)
        return (*verdicts, *self._blast_radius(node, judged))

    def _checks(self, node: PlanNode, judged: Judged) -> list[tuple[ir.Gate, Check]]:
        if isinstance(node.step, ir.Call):
            return []
        moment = Moment(node, judged=judged)
        return [(gate, self._check(gate, number, moment)) for number, gate in enumerate(node.step.gates, 1)]

    def _check(self, gate: ir.Gate, number: int, moment: Moment) -> Check:
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
            number=number,
        )

    def _subject(self, node: PlanNode, judged: Judged) -> Subject:
        repository = self.view.repository
        return Subject(
            step_type=node.step.type if isinstance(node.step, ir.AgentStep) else "gate",
            changed=tuple(c.path for c in repository.changed(judged.tree_in, judged.tree)),
            read=lambda path: _text(repository.read(judged.tree, path)),
            output=judged.values.get("output", ""),
        )

    def _known(self, gate: ir.Gate, check: Check, node: PlanNode, judged: Judged) -> Verdict | None:
        """The verdict of a gate that needs nothing run: it looks at the change, can't run here, or is on record."""
        if check.kind not in EXECUTES:
            return judge(check, self._subject(node, judged), bench=_NO_BENCH)
        command = self._command(check, judged)
        absent = self._absent(command)
        if command is None or absent:
            return self._without_command(check, absent, node)
        if self.disregards(node.id) or not gate.cache:
            return None
        kept = verdict_from(self.cache.get("gate", _key(check, command, self.tree_key(judged.tree))))
        return replace(kept, name=check.name) if kept else None  # another gate may have run the same command

    def _absent(self, command: GateCommand | None) -> str:
        """The first program that the command needs and that is not installed; empty when all are."""
        path = self.environment.get("PATH", "")
        return next((name for name in (command.needs if command else ()) if not shutil.which(name, path=path)), "")

    def _without_command(self, check: Check, absent: str, node: PlanNode) -> Verdict:
        why = f"{absent} is not installed" if absent else "no command is configured, and no marker file names one"
        if check.kind in SKIPPABLE or (check.kind == "tests_found" and not absent):
            return Verdict(check.name, check.kind, passed=True, skipped=why)
        raise RunError(
            f"step {node.id}: the gate {check.name} cannot run: {why}",
            help=f"install it, or set {check.kind}_cmd under [validation] in gump.toml",
        )

    def _command(self, check: Check, judged: Judged) -> GateCommand | None:
        repository = self.view.repository
        return command_of(
            check,
            configured=self.config.validation.commands,
            read=lambda path: _text(repository.read(judged.tree, path)),
        )

    def _keep(self, gate: ir.Gate, check: Check, judged: Judged, verdict: Verdict) -> None:
        command = self._command(check, judged)
        if self.keeps and verdict.passed and not verdict.skipped and command is not None and gate.cache:
            self.cache.put("gate", _key(check, command, self.tree_key(judged.tree)), to_payload(verdict))

    def _blast_radius(self, node: PlanNode, judged: Judged) -> tuple[Verdict, ...]:
        task = self.view.task_of(node)
        if not isinstance(node.step, ir.AgentStep) or task is None or not task.files:
            return ()
        mode = self.view.blast_radius(node)
        if node.step.type != "code" or mode == "off":
            return ()
        changed = tuple(c.path for c in self.view.repository.changed(judged.tree_in, judged.tree))
        verdict = blast_radius(changed, task.files)
        if verdict.passed:
            return ()
        if mode == "warn":
            return (Verdict(verdict.name, verdict.kind, True, comments=verdict.error),)
        return (verdict,)


def _key(check: Check, command: GateCommand, tree_key: str) -> str:
    """The key of a verdict: what was run, with which values, on which tree."""

    def describe(sink: Sink) -> None:
        sink.part("gate")
        sink.field("kind", check.kind)
        sink.field("script", command.script)
        sink.field("threshold", str(check.threshold))
        for name, value in sorted(check.values.items()):
            sink.field(name, value)
        sink.part("tree")
        sink.field("id", tree_key)

    return manifest(describe).key


def _no_directory() -> Path:
    raise AssertionError("a gate that only looks at the change asks for no folder")


def _no_run(command: process.Command, stop: Callable[[], bool]) -> process.Exit:
    raise AssertionError("a gate that only looks at the change runs nothing")


_NO_BENCH = Bench(directory=_no_directory, environment={}, artifacts=Path(), run=_no_run)


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8", "replace")
