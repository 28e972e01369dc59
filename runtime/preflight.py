"""Asks, before a run costs anything, whatever can stop it: each answer is an error with its remedy, or nothing at all.

Nothing is created here. A step that will be skipped needs no agent, so what has to be installed follows from the
outlook and not from the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from gumpc import ir, walk
from gumpc.agent_names import AgentSpec, resolve_agent
from gumpc.config_types import Config
from gumpc.plan import Plan
from runtime.agents.protocol import Adapter
from runtime.agents.registry import AgentNotOffered, adapter_for
from runtime.errors import RunError
from runtime.outlook import Outlook
from runtime.repository import Repository, UnknownRevision
from runtime.workspace import working_tree

Adapters = Callable[[AgentSpec, Config], Adapter]
"""What launches an agent, by what its name stands for; raises RunError where nothing does."""


def starting_point(
    repository: Repository, *, base: str | None, dirty: bool, own_files: tuple[str, ...]
) -> tuple[str, str, str]:
    """The commit, the branch and the tree that a run starts from; raises RunError for uncommitted changes."""
    head = repository.head()
    if base:
        commit = _resolved(repository, base)
        return commit, base, repository.tree_of(commit)
    if dirty:
        return head.commit, head.branch or "", working_tree(repository, ignoring=own_files)
    changes = repository.uncommitted(ignoring=own_files)
    if changes:
        listed = "\n".join(f"  {change.status} {change.path}" for change in changes[:20])
        more = f"\n  and {len(changes) - 20} more" if len(changes) > 20 else ""
        raise RunError(
            f"the working tree has changes that no commit holds\n{listed}{more}",
            help="commit or stash them, or run on them as they are with --dirty",
        )
    return head.commit, head.branch or "", head.tree


def _resolved(repository: Repository, revision: str) -> str:
    try:
        return repository.resolve(revision)
    except UnknownRevision as error:
        raise RunError(error.message, help="--base takes a branch, a tag or a commit, as git writes them") from None


def require_inputs(workflow: ir.Workflow, inputs: Mapping[str, str]) -> None:
    """Raise RunError when a free input of the workflow has no value."""
    missing = [name for name in workflow.inputs if name not in inputs]
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        sets = " ".join(f"--set {name}=…" for name in missing)
        raise RunError(
            f"the workflow `{workflow.name}` reads {names}, and nothing gives a value",
            help=f"add {sets}; if literal braces were meant, write {{{{{missing[0]}}}}}",
        )


def require_settings(config: Config) -> None:
    """Raise RunError for settings that this version would not honour: nothing may be weaker than what was asked for."""
    lacking = {
        'cache.reuse = "rebase"': config.cache.reuse == "rebase",
        'sandbox.mode = "require"': config.sandbox.mode == "require",
        "sandbox.network = false": not config.sandbox.network,
        "secrets.names = […]": bool(config.secrets.names),
    }
    for setting, is_set in lacking.items():
        if is_set:
            key = setting.partition(" ")[0]
            raise RunError(f"`{setting}` is not offered by this version", help=f"remove it from {config.source(key)}")


def require_known_step(step: str, plan: Plan) -> None:
    """Raise RunError when `--from` names no step; one below a split whose tasks are not known yet may be right."""
    if not step or step in plan.by_id:
        return
    templates = [node.id for node in plan.nodes if node.is_template]
    depth, last = step.count("/"), step.rpartition("/")[2]
    if any(t.count("/") == depth and t.rpartition("/")[2] == last for t in templates):
        return
    raise RunError(f"there is no step `{step}`", help=f"its steps: {', '.join(plan.by_id)}")


def require_agents(
    outlooks: tuple[Outlook, ...], config: Config, environment: Mapping[str, str], adapters: Adapters
) -> None:
    """Raise RunError unless every agent that may be called is there; a step that is skipped needs none."""
    seen: set[str] = set()
    for outlook in outlooks:
        if outlook.fate in ("skip", "pass"):
            continue
        for name in _agent_names(outlook):
            if name not in seen:
                seen.add(name)
                _require_agent(name, config, environment, adapters)


def _agent_names(outlook: Outlook) -> Iterator[str]:
    if outlook.decision and outlook.decision.inputs:
        yield outlook.decision.inputs.agent.name
    for template in walk.agents(outlook.node.step):
        name = walk.literal(template)
        if name is not None and outlook.fate != "regate":
            yield name


def _require_agent(name: str, config: Config, environment: Mapping[str, str], adapters: Adapters) -> None:
    spec = resolve_agent(name, config)
    if spec is None:
        raise RunError(f"there is no agent `{name}`", help="`gumpc check` tells the nearest known name")
    adapter = adapters(spec, config)
    if adapter.find(environment) is None:
        raise RunError(f"the agent `{name}` is not installed: {adapter.name} is not on the PATH", help=adapter.remedy())


def offered_adapter(spec: AgentSpec, config: Config) -> Adapter:
    """What launches an agent; raises RunError for one that this version can't launch."""
    try:
        return adapter_for(spec, config)
    except AgentNotOffered as error:
        raise RunError(str(error), help=error.remedy) from None
