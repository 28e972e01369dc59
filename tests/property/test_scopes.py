"""The rules of names against a second, naive reading of them that simulates the order of execution step by step."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from gumpc.compiler import compile_workflow
from gumpc.config_types import Config
from gumpc.library import Found, Library
from gumpc.rules.world import World
from tests.test_cases import CASES


@dataclass(frozen=True)
class Step:
    """`kind` is leaf, group or split; groups and splits have steps below them."""

    kind: str
    parallel: bool = False
    below: tuple[tuple[str, Step], ...] = ()


Block = tuple[tuple[str, Step], ...]
Place = tuple[str, ...]
NAMES = ("one", "two", "three", "four", "five")
LEAF = st.just(Step("leaf"))


def blocks(step: st.SearchStrategy[Step]) -> st.SearchStrategy[Block]:
    return st.dictionaries(st.sampled_from(NAMES), step, min_size=2, max_size=3).map(lambda d: tuple(d.items()))


def nests(step: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
    return st.builds(Step, st.sampled_from(["group", "split"]), st.booleans(), blocks(step))


LEVEL_1 = LEAF | nests(LEAF)
LEVEL_2 = LEAF | nests(LEVEL_1)
WORKFLOW = blocks(LEVEL_1 | nests(LEVEL_2))
REFERENCE = st.tuples(
    st.sampled_from(["", "", "/", "./"]),
    st.lists(st.sampled_from([*NAMES, "*", "task-1"]), min_size=1, max_size=5),
    st.sampled_from(["output", "status"]),
)


# --- the naive reading -----------------------------------------------------------------------------------------------


def all_steps(block: Block, prefix: Place = ()) -> Iterator[tuple[Place, Step]]:
    for name, step in block:
        yield (*prefix, name), step
        yield from all_steps(step.below, (*prefix, name))


def history(block: Block, prefix: Place = ()) -> Iterator[tuple[str, Place]]:
    """What happens, in order: a step begins, has written its values, and (with all that is below it) is over."""
    for name, step in block:
        place = (*prefix, name)
        yield "begins", place
        if step.kind != "group":
            yield "written", place
        yield from history(step.below, place)
        if step.kind == "group":
            yield "written", place
        yield "over", place


def expected(workflow: Block, reader: Place, anchor: str, segments: list[str], field: str) -> str | None:
    steps = dict(all_steps(workflow))
    block = reader[:-1]
    if anchor == "" and len(segments) == 1:
        if segments[0] == "*":
            return "G202"
        visible = [(*block[:depth], segments[0]) for depth in range(len(block) + 1)]
        found = [place for place in visible if place in steps]
        if len(found) > 1:
            return "G301"
        if not found:
            return "G303" if any(place[-1] == segments[0] for place in steps) else "G302"
        target, shared = found[0], len(found[0]) - 1
    else:
        start = block if anchor == "./" else ()
        target, shared, waiting = start, len(start), list(segments)
        while waiting:
            if target != start and steps[target].kind == "split":
                waiting.pop(0)
                if not waiting:
                    return "G302"
            target = (*target, waiting.pop(0))
            if target not in steps:
                return "G302"
    return order(workflow, steps, reader, target, shared) or (
        "G306" if steps[target].kind == "group" and field == "output" else None
    )


def order(workflow: Block, steps: dict[Place, Step], reader: Place, target: Place, shared: int) -> str | None:
    """Whether the target is over when the reader begins; below the first `shared` names it is in the same tasks."""
    if reader == target:
        return "G305"
    common = next((n for n, (a, b) in enumerate(zip(reader, target, strict=False)) if a != b), None)
    if common:
        around = steps[reader[:common]]
        if around.kind == "group" and around.parallel:
            return "G314"
    before = set()
    for event in history(workflow):
        if event == ("begins", reader):
            break
        before.add(event)
    splits = [target[:n] for n in range(shared + 1, len(target)) if steps[target[:n]].kind == "split"]
    is_over = ("written", target) in before and all(("over", split) in before for split in splits)
    return None if is_over else "G304"


# --- the compiler ----------------------------------------------------------------------------------------------------


def as_yaml(block: Block, reader: Place, reference: str, prefix: Place = ()) -> list[dict[str, object]]:
    listed = []
    for name, step in block:
        place = (*prefix, name)
        below = as_yaml(step.below, reader, reference, place)
        prompt = reference if place == reader else "p"
        agent = {"agent": "claude-sonnet", "prompt": prompt, "type": "split" if step.kind == "split" else "artifact"}
        written: dict[str, object] = {"name": name, **(agent if step.kind != "group" else {"steps": below})}
        if step.kind == "split":
            written["each"] = below
        if step.parallel:
            written["parallel"] = True
        listed.append(written)
    return listed


def told(workflow: Block, reader: Place, reference: str) -> list[str]:
    text = json.dumps({"name": "w", "steps": as_yaml(workflow, reader, reference)})
    library = Library(root=None, home=None, shown_from=CASES / "nowhere")
    found = Found("f.yaml", None, text.encode())
    return [
        d.code for d in compile_workflow(found, library=library, config=Config(), world=World(Config())).diagnostics
    ]


def path_to(target: Place, start: Place, steps: dict[Place, Step], task: str) -> list[str]:
    """How `target` is written from the block `start`, with a task wherever one is due."""
    parts = []
    for depth in range(len(start) + 1, len(target) + 1):
        is_due = depth > len(start) + 1 and steps[target[: depth - 1]].kind == "split"
        parts += [task, target[depth - 1]] if is_due else [target[depth - 1]]
    return parts


SEEN: Counter[str | None] = Counter()


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(workflow=WORKFLOW, which=st.integers(0, 30), parts=REFERENCE, aim=st.integers(-30, 30))
def check_one(workflow: Block, which: int, parts: tuple[str, list[str], str], aim: int) -> None:
    steps = dict(all_steps(workflow))
    readers = [place for place, step in steps.items() if step.kind != "group"]
    if not readers:
        return
    reader = readers[-1 - which % len(readers)]
    anchor, segments, field = parts
    if aim >= 0:  # at a step that is there
        target = list(steps)[aim % len(steps)]
        is_near = anchor == "./" and len(target) >= len(reader) and target[: len(reader) - 1] == reader[:-1]
        start = reader[:-1] if is_near else ()
        is_short = anchor == "" and len(segments) % 2 == 1
        segments = [target[-1]] if is_short else path_to(target, start, steps, ("*", "task-1")[aim % 2])
    wanted = expected(workflow, reader, anchor, segments, field)
    SEEN[wanted] += 1
    reference = "{" + anchor + "/".join(segments) + "." + field + "}"
    assert told(workflow, reader, reference) == ([wanted] if wanted else []), (reference, reader)


def test_the_resolver_agrees_with_a_naive_reading_of_the_rules() -> None:
    SEEN.clear()
    check_one()
    often = {None, "G301", "G302", "G303", "G304", "G305", "G314"}
    assert {code for code in often if SEEN[code] < 10} == set(), "the generator has become too poor"
