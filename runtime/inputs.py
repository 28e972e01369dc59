"""What a step would be run with right now: agent, prompt, context, tree and session, all of them rendered.

Made once per decision and used twice, for the step's key and for its first attempt, so that what is hashed is what is
sent. `describe` is the one traversal from which the key and its explanation both come.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from os import fsencode
from posixpath import isabs, normpath

from gumpc import ir
from gumpc.agent_names import AgentSpec, resolve_agent
from gumpc.config import Config
from gumpc.digest import Sink, digest_of
from gumpc.plan import PlanNode
from gumpc.shell import variable
from runtime.errors import RunError
from runtime.prompt import Piece, rules
from runtime.view import Moment, View

CommandOutput = Callable[[str, dict[str, str], str], tuple[int, str]]
"""Runs a context command: script, variables and tree in; exit code and output out."""


@dataclass(frozen=True, slots=True)
class StepInputs:
    """Everything an agent step's result may depend on. `tree` is the tree itself, `tree_key` what counts of it.

    `copy` counts the steps of the run that would be called in exactly the same way: asking twice means two answers.
    """

    step: ir.AgentStep
    agent: AgentSpec
    agent_recipe: str
    prompt: str
    context: tuple[Piece, ...]
    rules: str
    session: tuple[str, str]
    tree: str
    tree_key: str
    copy: int = 0
    warnings: tuple[str, ...] = ()


def describe(inputs: StepInputs, sink: Sink) -> None:
    """Name every part of a step's key: the order and the grouping are what `explain` shows."""
    sink.part("recipe")
    sink.field("type", inputs.step.type)
    sink.field("agent", f"{inputs.agent.adapter} {inputs.agent.model or ''}".strip())
    sink.field("agent settings", inputs.agent_recipe)
    sink.field("worktree", inputs.step.worktree)
    sink.field("session mode", inputs.step.session.mode)
    sink.field("rules", inputs.rules)
    sink.part("prompt")
    sink.field("text", inputs.prompt)
    sink.part("context")
    for piece in inputs.context:
        sink.field(piece.label, piece.text)
    sink.part("session")
    sink.field("from", inputs.session[0])
    if inputs.session[1]:
        sink.field("session", inputs.session[1])
    sink.part("tree")
    sink.field("id", inputs.tree_key)
    if inputs.copy:
        sink.part("copy")
        sink.field("number", str(inputs.copy))


@dataclass(slots=True)
class Preparer:
    """Makes the inputs of agent steps out of a view of the run."""

    view: View
    config: Config
    own_files: tuple[str, ...]
    command_output: CommandOutput
    agent_override: str | None = None
    _tree_keys: dict[tuple[str, str, tuple[str, ...]], str] = field(default_factory=dict)

    def prepare(self, node: PlanNode, step: ir.AgentStep) -> StepInputs:
        """The step's inputs; raises RunError where the workflow, the config or the repository is at fault."""
        moment = Moment(node)
        tree = self.view.tree_before(node)
        warnings: list[str] = []
        agent = self.agent(self.agent_override or self._agent_name(step, moment), node)
        return StepInputs(
            step=step,
            agent=agent,
            agent_recipe=self.agent_recipe(agent),
            prompt=self.view.render(step.prompt, moment) if step.prompt else "",
            context=tuple(p for c in step.context if (p := self._context(c, moment, tree, warnings))),
            rules=rules(step, self.view.task_of(node), blast_radius=self.view.blast_radius(node)),
            session=self._session(node, step),
            tree=tree,
            tree_key=self.tree_key(tree, step.inputs),
            warnings=tuple(warnings),
        )

    def tree_key(self, tree: str, globs: tuple[str, ...] = ()) -> str:
        """What counts of a tree: all but `.gump/` and our own files, or only the entries that match `globs`.

        An own file that the run itself has changed is work like any other, and counts.
        """
        start = self.view.state.tree
        if (tree, start, globs) not in self._tree_keys:
            self._tree_keys[tree, start, globs] = self._tree_key(tree, globs)
        return self._tree_keys[tree, start, globs]

    def counted_tree(self, tree: str) -> str:
        """What counts of a tree, as a tree: without `.gump/` and the own files that the run has not changed."""
        changed = self._changed_own_files(tree)
        return self.view.repository.key_tree(tree, without=[path for path in self.own_files if path not in changed])

    def _tree_key(self, tree: str, globs: tuple[str, ...]) -> str:
        repository, counted = self.view.repository, self.counted_tree(tree)
        digest = repository.digest_of_entries(counted, globs) if globs else counted
        # One that the run has deleted is as absent from what is left as one that does not count.
        find = repository.trees.find
        gone = [path for path in self._changed_own_files(tree) if find(tree, fsencode(path)) is None]
        return digest_of([digest, gone]) if gone else digest

    def _changed_own_files(self, tree: str) -> tuple[str, ...]:
        start, find = self.view.state.tree, self.view.repository.trees.find
        if tree == start:
            return ()
        return tuple(path for path in self.own_files if find(tree, fsencode(path)) != find(start, fsencode(path)))

    def agent(self, name: str, node: PlanNode) -> AgentSpec:
        """The agent of this name; raises RunError when there is none."""
        spec = self.find_agent(name)
        if spec is None:
            raise RunError(f"step {node.id}: there is no agent `{name}`", help="`gumpc check` lists the known ones")
        return spec

    def find_agent(self, name: str) -> AgentSpec | None:
        """The agent of this name, if there is one."""
        return resolve_agent(name, self.config)

    def _agent_name(self, step: ir.AgentStep, moment: Moment) -> str:
        assert step.agent is not None, "a step without an agent has no inputs of its own"
        return self.view.render(step.agent, moment).strip()

    def agent_recipe(self, agent: AgentSpec) -> str:
        """What the configuration says of how an agent is started, wherever the repository lies; empty for nothing."""
        configured = self.config.agents.get(agent.adapter)
        if configured is None:
            return ""
        root = str(self.view.repository.root)
        argvs = [[part.replace(root, "") for part in argv] for argv in (configured.command, configured.resume)]
        script = (configured.script or "").replace(root, "")
        others = [configured.model_args, configured.model, configured.format, configured.env, configured.unset_env]
        return digest_of([*argvs, script, *others])

    def _session(self, node: PlanNode, step: ir.AgentStep) -> tuple[str, str]:
        """The key of the step whose session goes on, and that session: what was said in it is more than its key."""
        source = self.session_source(node, step)
        if not source:
            return "new", ""
        found = self.view.state.peek(source)
        return found.key, found.session_id

    def session_source(self, node: PlanNode, step: ir.AgentStep) -> str:
        """The id of the step whose session goes on; empty for a new one."""
        if step.session.source is None:
            return ""
        from gumpc.plan import bind

        return "/".join(bind(step.session.source, frame=self.view.plan.frames[node.frame], tasks=node.tasks))

    def _context(self, context: ir.ContextSource, moment: Moment, tree: str, warnings: list[str]) -> Piece | None:
        if isinstance(context, ir.FileContext):
            path = self.view.render(context.path, moment).strip()
            text = self._file(path, tree)
            return self._found(f"File {path}", text, f"the context file `{path}` does not exist", context, warnings)
        values = {variable(n): self.view.value(r, moment) for n, r in enumerate(context.script.values, 1)}
        code, output = self.command_output(context.script.text, values, tree)
        missing = f"the context command `{context.script.text}` failed with exit code {code}"
        text = output if code == 0 else None
        return self._found(f"Output of `{context.script.text}`", text, missing, context, warnings)

    def _file(self, path: str, tree: str) -> str | None:
        if isabs(path) or normpath(path).startswith(".."):
            raise RunError(f"the context file `{path}` leaves the repository", help="name a file of the repository")
        raw = self.view.repository.read(tree, normpath(path))
        return None if raw is None else raw.decode("utf-8", "replace")

    def _found(
        self, label: str, text: str | None, missing: str, context: ir.ContextSource, warnings: list[str]
    ) -> Piece | None:
        if text is not None:
            return Piece(label, text)
        if context.required:
            raise RunError(missing, help="it is marked `required: true`; the agent was not called")
        warnings.append(f"{missing}; it is left out")
        return None
