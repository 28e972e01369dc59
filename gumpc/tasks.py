"""What a split produces: tasks, each with a name that is safe in paths and refs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a split. `files` is its blast radius; `needs` names the tasks that must be done before it."""

    name: str
    description: str
    files: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    def field(self, name: str) -> str:
        """The value of `{task.NAME}`."""
        return ", ".join(self.files) if name == "files" else str(getattr(self, name))


def in_order(tasks: tuple[Task, ...]) -> tuple[Task, ...]:
    """The tasks in their own order, each after those that it needs; `needs` must be acyclic."""
    placed: dict[str, Task] = {}
    waiting = list(tasks)
    while waiting:
        ready = next((t for t in waiting if all(n in placed for n in t.needs)), waiting[0])
        placed[ready.name] = ready
        waiting.remove(ready)
    return tuple(placed.values())
