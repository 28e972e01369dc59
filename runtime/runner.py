"""Starts a run, or goes on with one, and sees it to its end: everything around the executor's loop.

Whatever can stop a run before it costs anything is asked first, and leaves nothing behind: uncommitted changes, missing
inputs, parts of the language that are not carried out, agents that are not installed. After the first event only the
ledger counts, and every way out of here leaves a run that is over or can be resumed.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from gumpc import __version__, ir
from gumpc.config_types import Config
from gumpc.plan import Plan, PlanNode, make_plan
from runtime import events as ev
from runtime.agent_call import AgentCaller, Observer, RunStopped
from runtime.agents.protocol import AgentEvent
from runtime.cache import Cache
from runtime.clock import Clock
from runtime.errors import ExitCode, RunError, Terminated
from runtime.executor import Executor
from runtime.files import write_atomic
from runtime.guards import Guards, RunLimits
from runtime.journal import Journal, Listener, milliseconds
from runtime.launching import Launching
from runtime.ledger import LedgerDamaged, rfc3339
from runtime.outlook import Outlook, look_ahead
from runtime.plan_file import dump_plan, load_plan
from runtime.preflight import (
    Adapters,
    offered_adapter,
    require_agents,
    require_inputs,
    require_known_step,
    require_settings,
    starting_point,
)
from runtime.repository import Repository
from runtime.runs import RunDirectory, create_run, record_status
from runtime.state import RunState
from runtime.storing import Storing, state_seq
from runtime.support import require_support
from runtime.view import View
from runtime.workbench import Choices, Workbench, cache_folder, clean_environment, take_slot
from runtime.workspace import Slot, hide_runtime_files


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be run. `inputs` hold `spec` (its text) and what `--set` gave; `spec` is the spec file's path.

    `own_files` are paths of the repository that no key and no check for uncommitted changes looks at, because what
    they say is in the request already: the spec, the workflow's files, the configuration.
    """

    workflow: ir.Workflow
    source: str
    spec: str
    inputs: Mapping[str, str]
    own_files: tuple[str, ...] = ()
    choices: Choices = field(default_factory=Choices)
    base: str | None = None
    dirty: bool = False
    max_budget: float | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where it runs: the repository, the configuration, the environment, the time, and what launches agents."""

    repository: Repository
    config: Config
    environment: Mapping[str, str]
    clock: Clock
    adapters: Adapters = offered_adapter


@dataclass(slots=True)
class Watchers:
    """Who is told what happens: listeners of the journal, an observer of agents, and who wants the plan."""

    listeners: list[Listener] = field(default_factory=list)
    observe: Observer = lambda node, event, guards: None
    on_plan: Callable[[Plan], None] = lambda plan: None


@dataclass(slots=True)
class _Observing:
    """An observer that is not asked again once it has failed."""

    observe: Observer
    journal: Journal
    failed: bool = False

    def __call__(self, node: PlanNode, event: AgentEvent, guards: Guards) -> None:
        if self.failed:
            return
        try:
            self.observe(node, event, guards)
        except Exception as error:  # whatever it is, what people see must not end an agent's call
            self.failed = True
            self.journal.faults.append(f"{type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run's process ended."""

    code: ExitCode
    run: RunDirectory
    state: RunState
    plan: Plan


def plan_ahead(request: Request, around: Surroundings) -> tuple[Plan, tuple[Outlook, ...], RunState]:
    """What a run would do now, with the tree it would start from; creates nothing."""
    require_inputs(request.workflow, request.inputs)
    require_settings(around.config)
    commit, branch, tree = starting_point(
        around.repository, base=request.base, dirty=request.dirty, own_files=request.own_files
    )
    state = RunState(workflow=request.workflow.name, commit=commit, branch=branch, tree=tree)
    view = _view(make_plan(request.workflow), state, around, request.inputs)
    with _workbench(view, around, request.choices, request.own_files) as bench:
        outlooks = look_ahead(bench.freshness)
    require_known_step(request.choices.from_step, view.plan)
    return view.plan, outlooks, state


def start(request: Request, around: Surroundings, watchers: Watchers) -> Ended:
    """Run a workflow from the beginning; raises RunError when it cannot be started."""
    static = make_plan(request.workflow)
    require_support(static)
    plan, outlooks, ahead = plan_ahead(request, around)
    require_agents(outlooks, around.config, clean_environment(around.environment), around.adapters)
    slot = take_slot(around.repository) if any(o.fate not in ("skip", "pass") for o in outlooks) else None
    run = _create(request, static, around)
    journal = Journal.create(run.manifest, around.clock)
    journal.listeners += watchers.listeners
    limits = request.workflow.limits
    started = ev.RunStarted(
        run=run.id,
        workflow=request.workflow.name,
        spec=request.spec,
        commit=ahead.commit,
        branch=ahead.branch,
        tree=ahead.tree,
        max_budget=_least(request.max_budget, limits.max_budget) or around.config.budget.max_budget,
        max_timeout=limits.max_timeout,
        max_tokens=limits.max_tokens,
        from_step=request.choices.from_step,
        forced=request.choices.force,
        version=__version__,
    )
    view = _view(static, journal.state, around, request.inputs)
    watchers.on_plan(plan)
    return _carry_out(run, journal, view, around, request.choices, request.own_files, watchers, started, slot)


def _create(request: Request, plan: Plan, around: Surroundings) -> RunDirectory:
    """The run's folder, with everything in it that going on with the run needs."""
    root = around.repository.root
    hide_runtime_files(root)
    run = create_run(root, workflow=request.workflow.name, spec=request.spec, started=rfc3339(around.clock.now()))
    write_atomic(run.workflow, request.source.encode("utf-8", "surrogatepass"))
    write_atomic(run.spec, request.inputs.get("spec", "").encode("utf-8", "surrogatepass"))
    write_atomic(
        run.plan, dump_plan(plan, inputs=request.inputs, own_files=request.own_files, agent=request.choices.agent)
    )
    return run


def resume(run: RunDirectory, around: Surroundings, watchers: Watchers) -> Ended:
    """Go on with a run that is not over, as it was planned; raises RunError when there is nothing to go on with."""
    require_settings(around.config)
    if not run.manifest.exists():
        raise RunError(f"run {run.id[:8]} was ended before it began", help="start it with `gumpc run`")
    journal = Journal.open(run.manifest, around.clock)
    try:
        _require_resumable(run, journal)
        static, file = load_plan(run.plan.read_bytes(), name=str(run.plan))
        slot = take_slot(around.repository, run_id=run.id)
    except BaseException:
        journal.close()
        raise
    journal.listeners += watchers.listeners
    state = journal.state
    plan = make_plan(static.workflow, state.tasks) if state.tasks else static
    choices = Choices(file.agent, state.forced, state.from_step)
    view = _view(plan, state, around, file.inputs)
    watchers.on_plan(plan)
    resumed = ev.RunResumed(run.id, state.paused or state.status)
    return _carry_out(run, journal, view, around, choices, file.own_files, watchers, resumed, slot)


def _require_resumable(run: RunDirectory, journal: Journal) -> None:
    """Raise RunError for a run that is over or never began, LedgerDamaged for one whose ledger has lost its end."""
    status = journal.state.status
    if status in ("passed", "failed"):
        raise RunError(
            f"run {run.id[:8]} is over: it {status}",
            help="`gumpc run` with the same workflow runs what is not done yet",
        )
    if not journal.state.id:
        raise RunError(f"run {run.id[:8]} was ended before it began", help="start it with `gumpc run`")
    known = state_seq(run.state)
    if known > journal.seq:
        raise LedgerDamaged(run.manifest, journal.seq + 1, f"{known - journal.seq} records at its end are missing")


def _view(plan: Plan, state: RunState, around: Surroundings, inputs: Mapping[str, str]) -> View:
    context = around.config.error_context
    return View(plan, state, around.repository, inputs, context.max_error_chars, context.max_diff_chars)


def _workbench(
    view: View,
    around: Surroundings,
    choices: Choices,
    own_files: tuple[str, ...],
    *,
    run_id: str = "",
    slot: Slot | None = None,
) -> Workbench:
    return Workbench(
        repository=around.repository,
        config=around.config,
        view=view,
        cache=Cache.open(cache_folder(around.repository)),
        choices=choices,
        environment=clean_environment(around.environment),
        own_files=own_files,
        run_id=run_id,
        out_of_time=lambda: _is_out_of_time(view.state, around.clock),
        held=slot,
    )


def _carry_out(
    run: RunDirectory,
    journal: Journal,
    view: View,
    around: Surroundings,
    choices: Choices,
    own_files: tuple[str, ...],
    watchers: Watchers,
    first: ev.RunStarted | ev.RunResumed,
    slot: Slot | None,
) -> Ended:
    code = ExitCode.TERMINATED
    try:
        with (
            contextlib.suppress(Terminated),
            _workbench(view, around, choices, own_files, run_id=run.id, slot=slot) as bench,
            _terminating(),
        ):
            code = _guarded(_executor(run, journal, bench, around, watchers), journal, first)
            for warning in (*bench.cache.warnings, *journal.faults):
                journal.append(ev.StepWarned("", warning))
    finally:
        journal.close()
    status = "interrupted" if journal.state.paused == "interrupted" else journal.state.status
    record_status(around.repository.root, run.id, status)
    return Ended(code, run, journal.state, view.plan)


def _guarded(executor: Executor, journal: Journal, first: ev.RunStarted | ev.RunResumed) -> ExitCode:
    """Run to the end, or to whatever stops it; the reason is on record when this returns."""
    run = executor.run.id
    try:
        journal.append(first)
        return ExitCode.SUCCESS if executor.execute() == "passed" else ExitCode.FAILED
    except KeyboardInterrupt:
        return _paused(journal, ev.RunPaused(run, "interrupted", "interrupted by the user"), ExitCode.INTERRUPTED)
    except Terminated:
        return _paused(journal, ev.RunPaused(run, "interrupted", "ended by SIGTERM"), ExitCode.TERMINATED)
    except RunStopped as stopped:
        return _paused(journal, ev.RunPaused(run, stopped.kind, stopped.message, stopped.step), ExitCode.PAUSED)
    except RunError as error:
        message = f"{error.message}; {error.help}" if error.help else error.message
        return _paused(journal, ev.RunPaused(run, "error", message), ExitCode.PAUSED)
    except OSError as error:
        return _paused(journal, ev.RunPaused(run, "error", str(error)), ExitCode.PAUSED)


def _paused(journal: Journal, paused: ev.RunPaused, code: ExitCode) -> ExitCode:
    """Put the reason on record; raises RunError with it where the ledger itself can't be written."""
    try:
        journal.append(paused)
    except OSError as error:
        said = f" ({paused.message})" if paused.reason == "error" else ""
        raise RunError(
            f"the run cannot go on, since its ledger cannot be written: {error}{said}",
            help="`gumpc resume` goes on with it once that is put right",
            code=code,
        ) from error
    return code


def _is_out_of_time(state: RunState, clock: Clock) -> bool:
    if state.max_timeout is None:
        return False
    return state.active_ms + milliseconds(clock.now()) - state.resumed_ms >= state.max_timeout * 1000


def _executor(
    run: RunDirectory, journal: Journal, bench: Workbench, around: Surroundings, watchers: Watchers
) -> Executor:
    caller = AgentCaller(
        journal=journal,
        view=bench.view,
        preparer=bench.preparer,
        run=run,
        slot=bench.slot,
        adapter=lambda spec: around.adapters(spec, around.config),
        environment=bench.environment,
        clock=around.clock,
        launching=Launching(bench.view, bench.preparer),
        limits=lambda: _limits_left(journal.state),
        observe=_Observing(watchers.observe, journal),
    )
    storing = Storing(journal, around.repository, bench.cache, bench.freshness, around.config.cache.enabled)
    return Executor(
        journal=journal,
        view=bench.view,
        freshness=bench.freshness,
        checker=bench.checker,
        caller=caller,
        storing=storing,
        run=run,
        visit=bench.visit,
        on_plan=watchers.on_plan,
    )


def _limits_left(state: RunState) -> RunLimits:
    """What the run's limits leave for the next call; money spent by failed and killed attempts counts."""
    budget = None if state.max_budget is None else max(0.0, state.max_budget - state.priced_cost)
    seconds = None if state.max_timeout is None else max(0.0, state.max_timeout - state.duration_ms / 1000)
    tokens = None if state.max_tokens is None else max(0, state.max_tokens - state.usage.total)
    return RunLimits(budget, seconds, tokens)


def _least(*limits: float | None) -> float | None:
    given = [limit for limit in limits if limit is not None]
    return min(given) if given else None


@contextmanager
def _terminating() -> Iterator[None]:
    """SIGTERM ends the run as Ctrl-C does: the agent is stopped and the run can be resumed."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, on_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
