"""Which steps a workflow has, where each is visible, and what has run when: the map that references are looked up in.

A step is visible by its short name in the block that lists it and in the blocks inside that one. Order is kept as
positions of one walk over the file: `start` is when a step begins, `done` when its own fields are written (for a split
that is before its block runs, for a group after), `end` when everything below it is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gumpc.ir import EACH, Path
from gumpc.syntax import StepSyntax


@dataclass(slots=True, eq=False)
class Block:
    """A list of steps; `owner` is the group or split it belongs to, None at the root."""

    owner: Known | None
    parent: Block | None
    prefix: Path
    steps: list[Known] = field(default_factory=list)

    @property
    def is_each(self) -> bool:
        """True for the block that runs once per task."""
        return self.owner is not None and self.owner.is_split

    @property
    def is_parallel(self) -> bool:
        """True when the block's steps (or the tasks that run it) may run at once."""
        return self.owner is not None and self.owner.step.parallel

    def named(self, name: str) -> Known | None:
        """The step of this name in this very block."""
        return next((k for k in self.steps if k.step.name.value == name), None)

    def outward(self) -> Iterator[Block]:
        """This block and those around it, innermost first."""
        block: Block | None = self
        while block is not None:
            yield block
            block = block.parent


@dataclass(slots=True, eq=False)
class Known:
    """One step with its place in the workflow; `over` is the split whose tasks a group of edition 3 goes over."""

    step: StepSyntax
    path: Path
    block: Block
    start: int
    done: int = 0
    end: int = 0
    inner: Block | None = None
    over: Known | None = None

    @property
    def is_split(self) -> bool:
        """True for a step with a block that runs once per task."""
        return bool(self.step.each) or self.step.foreach is not None

    @property
    def written_path(self) -> str:
        """The full path as people write it, with `*` for the task."""
        return "/" + "/".join("*" if segment == EACH else segment for segment in self.path)


class Scopes:
    """All steps of one workflow."""

    def __init__(self, steps: tuple[StepSyntax, ...]) -> None:
        self._clock = 0
        self.all: list[Known] = []
        self.root = Block(None, None, ())
        self._fill(self.root, steps)

    def _fill(self, block: Block, steps: tuple[StepSyntax, ...]) -> None:
        for step in steps:
            # A workflow that a group calls for each task has no name of its own: it stands at the task.
            known = Known(step, (*block.prefix, *filter(None, (step.name.value,))), block, self._tick())
            known.over = self._closest(block, step.foreach.value) if step.foreach else None
            block.steps.append(known)
            self.all.append(known)
            known.done = known.start
            if step.each or step.steps:
                prefix = (*known.path, EACH) if known.is_split else known.path
                known.inner = Block(known, block, prefix)
                self._fill(known.inner, step.each or step.steps)
                known.end = self._tick()
                known.done = known.start if step.each else known.end
            else:
                known.end = known.start

    def _closest(self, block: Block, name: str) -> Known | None:
        """What a name of edition 3 means here: the closest step, else the only one elsewhere, among those before."""
        others = self.elsewhere(name)
        return next(iter(self.visible(block, name)), others[0] if len(others) == 1 else None)

    def _tick(self) -> int:
        self._clock += 1
        return self._clock

    def visible(self, block: Block, name: str) -> tuple[Known, ...]:
        """Every visible step of this short name, innermost first."""
        return tuple(k for b in block.outward() if (k := b.named(name)) is not None)

    def elsewhere(self, name: str) -> tuple[Known, ...]:
        """Every step of this short name, wherever it is."""
        return tuple(k for k in self.all if k.step.name.value == name)


def enclosing_each(block: Block) -> Known | None:
    """The step whose block runs once per task, innermost: a split, or in edition 3 a group with `foreach`."""
    return next((b.owner for b in block.outward() if b.is_each), None)


def enclosing_split(block: Block) -> Known | None:
    """The split whose tasks the innermost enclosing each runs over."""
    owner = enclosing_each(block)
    return owner.over or owner if owner else None


def parallel_siblings(one: Known, other: Known) -> Known | None:
    """The parallel group in whose different branches the two steps stand, if there is one."""
    first = {id(b): k for b, k in _lineage(one)}
    for block, branch in _lineage(other):
        if id(block) in first:
            same = first[id(block)] is branch
            return None if same or block.is_each or not block.is_parallel else block.owner
    return None


def _lineage(known: Known) -> Iterator[tuple[Block, Known]]:
    current: Known | None = known
    while current is not None:
        yield current.block, current
        current = current.block.owner
