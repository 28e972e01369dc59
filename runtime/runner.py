"""Starts a run, or goes on with one, and sees it to its end: everything around the executor's loop.

Whatever can stop a run before it costs anything is asked first, and leaves nothing behind: uncommitted changes, missing
inputs, parts of the language that are not carried out, agents that are not installed. After the first event only the
ledger counts, and every way out of here leaves a run that is over or can be resumed.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from gumpc import __version__, ir
from gumpc.agent_names import AgentSpec
from gumpc.config_types import Config
from gumpc.plan import Plan, make_plan
from runtime import events as ev
from runtime.agent_call import AgentCaller, Observer, RunStopped
from runtime.agents.protocol import Adapter
from runtime.agents.registry import AgentNotOffered, adapter_for
from runtime.cache import Cache
from runtime.clock import Clock
from runtime.errors import ExitCode, RunError, Terminated
from runtime.executor import Executor
from runtime.files import write_atomic
from runtime.guards import RunLimits
from runtime.journal import Journal, Listener
from runtime.ledger import rfc3339
from runtime.outlook import Outlook, look_ahead
from runtime.plan_file import dump_plan, load_plan
from runtime.repository import Repository
from runtime.runs import RunDirectory, create_run, record_status
from runtime.state import RunState
from runtime.storing import Storing
from runtime.support import require_support
from runtime.view import View
from runtime.workbench import Choices, Workbench, cache_folder, clean_environment
from runtime.workspace import hide_runtime_files, working_tree


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
    choices: Choices = Choices()
    base: str | None = None
    dirty: bool = False
    max_budget: float | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where it runs: the repository, the configuration, the environment, the time."""

    repository: Repository
    config: Config
    environment: Mapping[str, str]
    clock: Clock


@dataclass(slots=True)
class Watchers:
    """Who is told what happens: listeners of the journal, an observer of agents, and who wants the plan."""

    listeners: list[Listener] = field(default_factory=list)
    observe: Observer = lambda node, event, guards: None
    on_plan: Callable[[Plan], None] = lambda plan: None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run's process ended."""

    code: ExitCode
    run: RunDirectory
    state: RunState
    plan: Plan


def plan_ahead(request: Request, around: Surroundings) -> tuple[Plan, tuple[Outlook, ...], RunState]:
    """What a run would do now, with the tree it would start from; creates nothing."""
    require_inputs(request)
    commit, branch, tree = starting_point(request, around.repository)
    state = RunState(workflow=request.workflow.name, commit=commit, branch=branch, tree=tree)
    view = _view(make_plan(request.workflow), state, around, request.inputs)
    with _workbench(view, around, request.choices, request.own_files) as bench:
        outlooks = look_ahead(bench.freshness)
    require_known_step(request.choices.from_step, view.plan)
    return view.plan, outlooks, state


def start(request: Request, around: Surroundings, watchers: Watchers) -> Ended:
    """Run a workflow from the beginning; raises RunError when it cannot be started."""
    require_support(make_plan(request.workflow))
    plan, outlooks, ahead = plan_ahead(request, around)
    _require_agents(outlooks, around)
    root, moment = around.repository.root, around.clock.now()
    hide_runtime_files(root)
    run = create_run(root, workflow=request.workflow.name, spec=request.spec, started=rfc3339(moment))
    static = make_plan(request.workflow)
    write_atomic(run.workflow, request.source.encode("utf-8", "surrogatepass"))
    write_atomic(run.spec, request.inputs.get("spec", "").encode("utf-8", "surrogatepass"))
    write_atomic(
        run.plan, dump_plan(static, inputs=request.inputs, own_files=request.own_files, agent=request.choices.agent)
    )
    journal = Journal.create(run.manifest, around.clock)
    journal.listeners += watchers.listeners
    limits = request.workflow.limits
    budget = _least(request.max_budget, limits.max_budget) or around.config.budget.max_budget
    started = ev.RunStarted(
        run=run.id,
        workflow=request.workflow.name,
        spec=request.spec,
        commit=ahead.commit,
        branch=ahead.branch,
        tree=ahead.tree,
        max_budget=budget,
        max_timeout=limits.max_timeout,
        max_tokens=limits.max_tokens,
        from_step=request.choices.from_step,
        forced=request.choices.force,
        version=__version__,
    )
    view = _view(static, journal.state, around, request.inputs)
    watchers.on_plan(plan)
    return _carry_out(run, journal, view, around, request.choices, request.own_files, watchers, started)


def resume(run: RunDirectory, around: Surroundings, watchers: Watchers) -> Ended:
    """Go on with a run that is not over, as it was planned; raises RunError when there is nothing to go on with."""
    journal = Journal.open(run.manifest, around.clock)
    try:
        if journal.state.status in ("passed", "failed"):
            raise RunError(
                f"run {run.id[:8]} is over: it {journal.state.status}",
                help="`gumpc run` with the same workflow runs what is not done yet",
            )
        static, file = load_plan(run.plan.read_bytes(), name=str(run.plan))
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
    return _carry_out(run, journal, view, around, choices, file.own_files, watchers, resumed)


def starting_point(request: Request, repository: Repository) -> tuple[str, str, str]:
    """The commit, the branch and the tree that a run starts from; raises RunError for uncommitted changes."""
    head = repository.head()
    if request.base:
        commit = repository.resolve(request.base)
        return commit, request.base, repository.tree_of(commit)
    if request.dirty:
        return head.commit, head.branch or "", working_tree(repository, ignoring=request.own_files)
    changes = repository.uncommitted(ignoring=request.own_files)
    if changes:
        listed = "\n".join(f"  {change.status} {change.path}" for change in changes[:20])
        more = f"\n  and {len(changes) - 20} more" if len(changes) > 20 else ""
        raise RunError(
            f"the working tree has changes that no commit holds\n{listed}{more}",
            help="commit or stash them, or run on them as they are with --dirty",
        )
    return head.commit, head.branch or "", head.tree


def require_inputs(request: Request) -> None:
    """Raise RunError when a free input of the workflow has no value."""
    missing = [name for name in request.workflow.inputs if name not in request.inputs]
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        sets = " ".join(f"--set {name}=…" for name in missing)
        raise RunError(
            f"the workflow `{request.workflow.name}` reads {names}, and nothing gives a value",
            help=f"add {sets}; if literal braces were meant, write {{{{{missing[0]}}}}}",
        )


def require_known_step(step: str, plan: Plan) -> None:
    """Raise RunError when `--from` names no step; one below a split whose tasks are not known yet may be right."""
    if not step or step in plan.by_id:
        return
    templates = [node.id for node in plan.nodes if node.is_template]
    if any(len(t.split("/")) == len(step.split("/")) and t.split("/")[-1] == step.split("/")[-1] for t in templates):
        return
    raise RunError(f"there is no step `{step}`", help=f"its steps: {', '.join(plan.by_id)}")


def _require_agents(outlooks: tuple[Outlook, ...], around: Surroundings) -> None:
    """Raise RunError unless every agent that may be called is there; a step that is skipped needs none."""
    environment = clean_environment(around.environment)
    seen: set[str] = set()
    for outlook in outlooks:
        if outlook.fate in ("skip", "pass"):
            continue
        for name in _agent_names(outlook):
            if name not in seen:
                seen.add(name)
                _require_agent(name, around.config, environment)


def _agent_names(outlook: Outlook) -> Iterator[str]:
    from gumpc import walk

    if outlook.decision and outlook.decision.inputs:
        yield outlook.decision.inputs.agent.name
    for template in walk.agents(outlook.node.step):
        name = walk.literal(template)
        if name is not None and outlook.fate != "regate":
            yield name


def _require_agent(name: str, config: Config, environment: Mapping[str, str]) -> None:
    from gumpc.agent_names import resolve_agent

    spec = resolve_agent(name, config)
    if spec is None:
        raise RunError(f"there is no agent `{name}`", help="`gumpc check` tells the nearest known name")
    adapter = _adapter(spec, config)
    if adapter.find(environment) is None:
        raise RunError(f"the agent `{name}` is not installed: {adapter.name} is not on the PATH", help=adapter.remedy())


def _adapter(spec: AgentSpec, config: Config) -> Adapter:
    try:
        return adapter_for(spec, config)
    except AgentNotOffered as error:
        raise RunError(str(error), help=error.remedy) from None


def _view(plan: Plan, state: RunState, around: Surroundings, inputs: Mapping[str, str]) -> View:
    context = around.config.error_context
    return View(plan, state, around.repository, inputs, context.max_error_chars, context.max_diff_chars)


def _workbench(
    view: View, around: Surroundings, choices: Choices, own_files: tuple[str, ...], *, run_id: str = ""
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
) -> Ended:
    try:
        with _workbench(view, around, choices, own_files, run_id=run.id) as bench, _terminating():
            executor = _executor(run, journal, bench, around, watchers)
            code = _guarded(executor, journal, first)
            for warning in bench.cache.warnings:
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
        journal.append(ev.RunPaused(run, "interrupted", "interrupted by the user"))
        return ExitCode.INTERRUPTED
    except Terminated:
        journal.append(ev.RunPaused(run, "interrupted", "ended by SIGTERM"))
        return ExitCode.TERMINATED
    except RunStopped as stopped:
        journal.append(ev.RunPaused(run, stopped.kind, stopped.message, stopped.step))
        return ExitCode.PAUSED
    except RunError as error:
        message = f"{error.message}; {error.help}" if error.help else error.message
        journal.append(ev.RunPaused(run, "error", message))
        return ExitCode.PAUSED


def _executor(
    run: RunDirectory, journal: Journal, bench: Workbench, around: Surroundings, watchers: Watchers
) -> Executor:
    caller = AgentCaller(
        journal=journal,
        view=bench.view,
        preparer=bench.preparer,
        run=run,
        slot=bench.slot,
        adapter=lambda spec: _adapter(spec, around.config),
        environment=bench.environment,
        clock=around.clock,
        limits=lambda: _limits_left(journal.state),
        observe=watchers.observe,
    )
    storing = Storing(journal, around.repository, bench.cache, bench.freshness)
    return Executor(
        journal=journal,
        view=bench.view,
        freshness=bench.freshness,
        checker=bench.checker,
        caller=caller,
        storing=storing,
        run=run,
        slot=bench.slot,
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
