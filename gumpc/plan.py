"""The plan: a DAG of content-hashed step nodes, made from the IR and from the tasks that are known so far.

Before a split has run, the block below it stands in the plan once, as a template whose paths hold `@` for the task.
When the tasks are known the plan is made again with them, and the block stands there once per task; nothing is
patched, so equal inputs give equal plans. Nodes come in the order of execution.

An edge says why one node waits for another: `data` (a reference, or an agent or context taken from it), `tree` (the
state of the code passes along it), `session` (the agent's session goes on), `order` (the file's order, where none of
the others holds).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from gumpc import ir, walk
from gumpc.digest import digest_of
from gumpc.ir import ALL, EACH, Path
from gumpc.tasks import Task, in_order

if TYPE_CHECKING:
    import networkx as nx

EdgeKind = Literal["data", "tree", "session", "order"]
Tasks = Mapping[str, tuple[Task, ...]]


@dataclass(frozen=True, slots=True)
class Frame:
    """A call being made: the caller's frame, what the callee's inputs are bound to, and the path of its root."""

    id: str
    parent: str
    prefix: Path
    bindings: tuple[ir.Binding, ...]
    tasks: tuple[tuple[str, str], ...] = ()


ROOT = Frame("", "", (), ())


@dataclass(frozen=True, slots=True)
class PlanNode:
    """One node.

    `tasks` are the tasks it belongs to, as (split's id, task's name), outermost first; a group that goes
    over a split's tasks stands before that split with the same task.

    `is_template` is true below a split that has not run. `tree_from` is the node whose tree it starts from; none
    means the run's start.
    """

    id: str
    kind: Literal["agent", "gate", "group", "call", "merge"]
    step: ir.Step
    recipe: str
    frame: str = ""
    tasks: tuple[tuple[str, str], ...] = ()
    is_template: bool = False
    tree_from: str | None = None

    @property
    def writes(self) -> bool:
        """True when the node may leave another tree than it started from."""
        return self.kind == "merge" or (isinstance(self.step, ir.AgentStep) and self.step.worktree == "read-write")

    @property
    def attempts(self) -> int:
        """How many agent calls it makes at the most."""
        if not isinstance(self.step, ir.AgentStep) or self.step.agent is None:
            return 0
        retry = self.step.retry
        return max(retry.attempts, *(policy.attempts for policy in retry.by_kind), 0)


@dataclass(frozen=True, slots=True)
class Edge:
    """`target` waits for `source`."""

    source: str
    target: str
    kind: EdgeKind


@dataclass(frozen=True)
class Plan:
    """Nodes in the order of execution, the edges between them, and the frames of the calls."""

    workflow: ir.Workflow
    tasks: Tasks
    nodes: tuple[PlanNode, ...]
    edges: tuple[Edge, ...]
    frames: Mapping[str, Frame]

    @cached_property
    def by_id(self) -> Mapping[str, PlanNode]:
        """Nodes by their ids."""
        return {node.id: node for node in self.nodes}

    @cached_property
    def predecessors(self) -> Mapping[str, tuple[str, ...]]:
        """What each node waits for, in order."""
        return {name: tuple(dict.fromkeys(e.source for e in edges)) for name, edges in self._incoming.items()}

    @cached_property
    def _incoming(self) -> Mapping[str, list[Edge]]:
        found: dict[str, list[Edge]] = {node.id: [] for node in self.nodes}
        for edge in self.edges:
            found[edge.target].append(edge)
        return found

    def edges_into(self, node: str) -> tuple[Edge, ...]:
        """The edges that end at a node."""
        return tuple(self._incoming[node])

    @cached_property
    def graph(self) -> nx.DiGraph[str]:
        """The same plan for networkx, each node with its `PlanNode` as `node`, each edge with its `kinds`."""
        import networkx

        graph: nx.DiGraph[str] = networkx.DiGraph(name=self.workflow.name)
        for node in self.nodes:
            graph.add_node(node.id, node=node)
        for edge in self.edges:
            kinds = graph.get_edge_data(edge.source, edge.target, {}).get("kinds", ())
            graph.add_edge(edge.source, edge.target, kinds=(*kinds, edge.kind))
        return graph

    def dependants(self, node: str) -> frozenset[str]:
        """The node itself and every node that takes something from it: values, a tree or a session."""
        import networkx

        kept = [(e.source, e.target) for e in self.edges if e.kind != "order"]
        graph = self.graph.edge_subgraph(kept)
        return frozenset({node, *(networkx.descendants(graph, node) if node in graph else ())})


def make_plan(workflow: ir.Workflow, tasks: Tasks | None = None) -> Plan:
    """The plan of a workflow, with the block of each split in `tasks` (by the split's id) expanded."""
    builder = _Builder(tasks or {})
    builder.block(workflow.steps, _Where(ROOT, (), False), _Tip(None, ()))
    return Plan(workflow, dict(tasks or {}), tuple(builder.nodes), tuple(builder.edges), builder.frames)


def bind(path: Path, *, frame: Frame, tasks: tuple[tuple[str, str], ...]) -> Path:
    """A path of the IR as a path from the run's root, `EACH` replaced by the task at hand."""
    names = dict(tasks)
    bound: list[str] = list(frame.prefix)
    for segment in path:
        bound.append(names.get("/".join(bound), EACH) if segment == EACH else segment)
    return tuple(bound)


@dataclass(frozen=True, slots=True)
class _Where:
    """The frame and the tasks of the steps being added."""

    frame: Frame
    tasks: tuple[tuple[str, str], ...]
    is_template: bool


@dataclass(frozen=True, slots=True)
class _Tip:
    """Where the work done so far ends: the node that holds the tree, and the nodes to wait for.

    `merges` are the nodes that hold the trees of parallel branches, for the node that joins them.
    """

    tree: str | None
    after: tuple[str, ...]
    merges: tuple[str, ...] = ()


@dataclass(slots=True)
class _Builder:
    tasks: Tasks
    nodes: list[PlanNode] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    frames: dict[str, Frame] = field(default_factory=lambda: {"": ROOT})

    def block(self, steps: tuple[ir.Step, ...], where: _Where, tip: _Tip) -> _Tip:
        for step in steps:
            tip = self._step(step, where, tip)
        return tip

    def _step(self, step: ir.Step, where: _Where, tip: _Tip) -> _Tip:
        match step:
            case ir.AgentStep():
                after = self._node(step, where, tip)
                return self._tasks(step, where, after) if step.each else after
            case ir.GateStep():
                return self._node(step, where, tip)
            case ir.Group():
                if step.over is not None:
                    return self._foreach(step, step.over, where, tip)
                inside = self._branches(step.steps, where, tip) if step.parallel else self.block(step.steps, where, tip)
                kind = "merge" if step.parallel else "group"
                return self._node(step, where, inside, kind=kind, reads=self._ids(step.steps, where))
            case ir.Call():
                return self._call(step, where, tip)

    def _branches(self, steps: tuple[ir.Step, ...], where: _Where, tip: _Tip) -> _Tip:
        return _join(tip, [self._step(step, where, tip) for step in steps])

    def _tasks(self, split: ir.AgentStep, where: _Where, tip: _Tip) -> _Tip:
        split_id = self._id(split.path, where)
        inside, below = self._per_task(split.each, (split_id,), where, tip, parallel=split.parallel)
        if not split.parallel or not below or split_id not in self.tasks:
            return inside
        merge = ir.Group((*split.path, ALL), (), True, (), ir.RetryPolicy(), split.span, split.task_of)
        return self._node(merge, where, inside, kind="merge")

    def _foreach(self, group: ir.Group, over: Path, where: _Where, tip: _Tip) -> _Tip:
        # A task is named under the group, for the paths below it, and under its split, which comes last: it has them.
        keys = (self._id(group.path, where), self._id(over, where))
        inside, below = self._per_task(group.steps, keys, where, tip, parallel=group.parallel)
        reads = tuple(name for inner in below for name in self._ids(group.steps, inner))
        return self._node(group, where, inside, kind="merge" if group.parallel else "group", reads=reads)

    def _per_task(
        self, steps: tuple[ir.Step, ...], keys: tuple[str, ...], where: _Where, tip: _Tip, *, parallel: bool
    ) -> tuple[_Tip, tuple[_Where, ...]]:
        """A block once for each task of the split `keys[-1]`, or once as a template; where it ends, and its places."""
        tasks = self.tasks.get(keys[-1])
        if tasks is None:
            inner = _Where(where.frame, (*where.tasks, *((key, EACH) for key in keys)), True)
            return self.block(steps, inner, tip), (inner,)
        tips: dict[str, _Tip] = {}
        below: list[_Where] = []
        current = tip
        for task in in_order(tasks):
            inner = _Where(where.frame, (*where.tasks, *((key, task.name) for key in keys)), where.is_template)
            needed = tuple(node for name in task.needs for node in tips[name].after)
            start = _Tip(tip.tree, (*tip.after, *needed)) if parallel else current
            tips[task.name] = current = self.block(steps, inner, start)
            below.append(inner)
        return _join(tip, tips.values()) if parallel and tips else current, tuple(below)

    def _id(self, path: Path, where: _Where) -> str:
        return "/".join(bind(path, frame=where.frame, tasks=where.tasks))

    def _call(self, step: ir.Call, where: _Where, tip: _Tip) -> _Tip:
        prefix = bind(step.path, frame=where.frame, tasks=where.tasks)
        frame = Frame("/".join(prefix), where.frame.id, prefix, step.call.inputs, where.tasks)
        self.frames[frame.id] = frame
        below = _Where(frame, where.tasks, where.is_template)
        inside = self.block(step.call.workflow.steps, below, tip)
        return self._node(step, where, inside, reads=self._ids(step.call.workflow.steps, below))

    def _ids(self, steps: tuple[ir.Step, ...], where: _Where) -> tuple[str, ...]:
        """The steps whose values make up those of the group or call around them."""
        return tuple(self._id(step.path, where) for step in steps)

    def _node(
        self, step: ir.Step, where: _Where, tip: _Tip, *, kind: str | None = None, reads: tuple[str, ...] = ()
    ) -> _Tip:
        path = bind(step.path, frame=where.frame, tasks=where.tasks)
        node = PlanNode(
            id="/".join(path),
            kind=kind or step.kind,  # type: ignore[arg-type]
            step=step,
            recipe=digest_of(without_children(step)),
            frame=where.frame.id,
            tasks=where.tasks,
            is_template=where.is_template,
            tree_from=tip.tree,
        )
        self._connect(node, where, tip, reads)
        self.nodes.append(node)
        self.ids.add(node.id)
        return _Tip(node.id if node.writes else tip.tree, (node.id,))

    def _connect(self, node: PlanNode, where: _Where, tip: _Tip, reads: tuple[str, ...]) -> None:
        trees = dict.fromkeys((*((tip.tree,) if tip.tree is not None else ()), *tip.merges))
        edges = [Edge(tree, node.id, "tree") for tree in trees]
        sources = dict.fromkeys((*(split for split, _ in where.tasks[-1:]), *self._sources(node.step, where), *reads))
        edges += [Edge(source, node.id, "data") for source in sources]
        if isinstance(node.step, ir.AgentStep) and node.step.session.source:
            source = "/".join(bind(node.step.session.source, frame=where.frame, tasks=where.tasks))
            edges.append(Edge(source, node.id, "session"))
        known = {edge.source for edge in edges}
        edges += [Edge(source, node.id, "order") for source in tip.after if source not in known]
        self.edges += edges

    def _sources(self, step: ir.Step, where: _Where) -> tuple[str, ...]:
        """The ids of the nodes whose values the step reads, each once, in the order of the references."""
        paths = (p for r in walk.references(step) for p in self._paths(r.target, where.frame, where.tasks))
        return tuple(dict.fromkeys(node for path in paths for node in self._matching(path)))

    def _paths(self, target: ir.Target, frame: Frame, tasks: tuple[tuple[str, str], ...]) -> Iterator[Path]:
        """The paths from the run's root that a value comes from; an input comes from where its call takes it."""
        if isinstance(target, ir.TaskTarget):
            yield bind(target.split, frame=frame, tasks=tasks)
        elif isinstance(target, ir.StepTarget):
            yield bind(target.path, frame=frame, tasks=tasks)
        elif isinstance(target, ir.InputTarget) and frame.id:
            caller = self.frames[frame.parent]
            bound = next((b.value for b in frame.bindings if b.name == target.name), None)
            if bound is None:
                yield from self._paths(target, caller, frame.tasks)
            for reference in bound.references if bound else ():
                yield from self._paths(reference.target, caller, frame.tasks)

    def _matching(self, path: Path) -> list[str]:
        """The nodes at a path; `ALL`, or a task that is not known yet, matches each or the template."""
        if (exact := "/".join(path)) in self.ids:
            return [exact]
        return [n.id for n in self.nodes if n.kind != "merge" and _matches(tuple(n.id.split("/")), path)]


def _join(start: _Tip, tips: Iterable[_Tip]) -> _Tip:
    """Where parallel branches end that all began at `start`."""
    tips = tuple(tips)
    after = dict.fromkeys(node for tip in tips for node in tip.after)
    trees = dict.fromkeys(tip.tree for tip in tips if tip.tree is not None and tip.tree != start.tree)
    return _Tip(start.tree, tuple(after), tuple(trees))


def _matches(path: Path, pattern: Path) -> bool:
    return len(path) == len(pattern) and all(
        segment in (wanted, EACH) or wanted == ALL for segment, wanted in zip(path, pattern, strict=True)
    )


def without_children(step: ir.Step) -> ir.Step:
    """The step without the steps below it, which are nodes of their own."""
    match step:
        case ir.AgentStep():
            return dataclasses.replace(step, each=())
        case ir.Group():
            return dataclasses.replace(step, steps=())
        case ir.Call():
            called = dataclasses.replace(step.call.workflow, steps=())
            return dataclasses.replace(step, call=dataclasses.replace(step.call, workflow=called))
        case _:
            return step
