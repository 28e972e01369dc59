"""Keys: what of a tree counts, and how an attempt is set up."""

from __future__ import annotations

from pathlib import Path

import pytest

from gumpc import ir
from gumpc.config_types import Config
from gumpc.plan import make_plan
from gumpc.source import Span
from runtime.cache import Cache
from runtime.checks import Checker
from runtime.freshness import Freshness
from runtime.inputs import Preparer, StepInputs
from runtime.repository import Repository
from runtime.retry import Failure
from runtime.state import RunState
from runtime.view import View
from tests.unit.git_cli import commit, new_repository, write

HERE = Span("w.yaml", 1, 1, 1, 1)
FILES = {"a.txt": "a", "src/b.txt": "b", "spec.md": "spec", "gump.toml": "", ".gump/workflows/w.yaml": "w"}
FAILED = Failure("gate", ("test",))


def text(*parts: ir.Text | ir.Reference | str) -> ir.Template:
    return ir.Template(tuple(ir.Text(part) if isinstance(part, str) else part for part in parts), HERE)


def attempt_value(name: str) -> ir.Reference:
    return ir.Reference(ir.AttemptTarget(name), f"{{{name}}}", HERE)


class Keys:
    """What keys are made from, in a repository with one commit of `FILES` that a run has started from."""

    def __init__(self, base: Path) -> None:
        self.root = new_repository(base / "repo", dict(FILES))
        self.repository = Repository.discover(self.root)
        self.state = RunState(tree=self.repository.head().tree)

    def tree(self, changes: dict[str, str | None]) -> str:
        """The tree of the start with some files changed, or removed."""
        write(self.root, {name: content for name, content in changes.items() if content is not None})
        for name in (name for name, content in changes.items() if content is None):
            (self.root / name).unlink()
        commit(self.root)
        tree = self.repository.head().tree
        write(self.root, dict(FILES))
        return tree

    def preparer(self, step: ir.AgentStep | None = None, config: Config = Config()) -> Preparer:  # noqa: B008
        plan = make_plan(ir.Workflow("w", (step,) if step else (), ir.Limits(), (), "w.yaml", HERE))
        context = config.error_context
        view = View(plan, self.state, self.repository, {}, context.max_error_chars, context.max_diff_chars)
        return Preparer(view, config, ("gump.toml", "spec.md"), lambda *_: (0, ""))

    def signature(self, retry: ir.RetryPolicy, failures: list[Failure], prompt: ir.Template | None = None) -> str:
        step = ir.AgentStep(
            path=("s",),
            type="code",
            prompt=prompt or text("do"),
            agent=text("offline"),
            worktree="read-write",
            session=ir.Session("new"),
            guard=ir.Guard(),
            gates=(),
            retry=retry,
            span=HERE,
        )
        preparer = self.preparer(step)
        cache = Cache.open(self.root.parent / "cache")
        checker = Checker(preparer.view, preparer.config, cache, preparer.tree_key, {})
        freshness = Freshness(preparer.view, preparer, checker, cache, lambda node: "")
        node = preparer.view.plan.nodes[0]
        inputs: StepInputs = preparer.prepare(node, step)
        return freshness.signature(inputs, node, failures)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, False),
        ({".gump/workflows/w.yaml": "other"}, False),
        ({"a.txt": "other"}, True),
        ({"a.txt": None}, True),
        ({"new.txt": "new"}, True),
        ({"spec.md": "rewritten by a step"}, True),
        ({"gump.toml": None}, True),
    ],
)
def test_what_a_run_changes_counts(keys: Keys, changes: dict[str, str | None], counts: bool):
    preparer = keys.preparer()
    assert (preparer.tree_key(keys.tree(changes)) != preparer.tree_key(keys.state.tree)) is counts


def test_two_ways_to_lose_a_file_of_ours_are_two_keys(keys: Keys):
    preparer = keys.preparer()
    trees = [keys.tree(change) for change in ({"spec.md": None}, {"gump.toml": None}, {"spec.md": "x"})]
    assert len({preparer.tree_key(tree) for tree in (*trees, keys.state.tree)}) == 4


def test_our_own_files_at_the_start_do_not_count(keys: Keys):
    """Between two runs the user may change them: what they say is asked elsewhere."""
    first = keys.preparer().tree_key(keys.state.tree)
    keys.state = RunState(tree=keys.tree({"spec.md": "another spec", "gump.toml": "# comment"}))
    assert keys.preparer().tree_key(keys.state.tree) == first


@pytest.mark.parametrize(("changed", "counts"), [("a.txt", False), ("src/b.txt", True)])
def test_only_the_inputs_of_a_step_count(keys: Keys, changed: str, counts: bool):
    preparer = keys.preparer()
    tree = keys.tree({changed: "other"})
    assert (preparer.tree_key(tree, ("src/**",)) != preparer.tree_key(keys.state.tree, ("src/**",))) is counts


def entry(count: int, **overrides: object) -> ir.RetryPolicy:
    return ir.RetryPolicy(5, (ir.RetryEntry("attempt", HERE, count=count, **overrides),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "overrides",
    [{"agent": text("offline-b")}, {"session": "new"}, {"reset": True}, {"prompt": text("again")}],
)
def test_an_override_counts_for_the_attempts_that_it_holds_for(keys: Keys, overrides: dict[str, object]):
    plain = ir.RetryPolicy(5)
    for count, counts in ((2, True), (3, False)):
        retry = entry(count, **overrides)
        assert (keys.signature(retry, [FAILED]) != keys.signature(plain, [FAILED])) is counts
        assert keys.signature(retry, []) == keys.signature(plain, [])


def test_an_attempts_errors_do_not_count_but_the_words_around_them_do(keys: Keys):
    prompts = [text("Fix: ", attempt_value("error")), text("Mend: ", attempt_value("error"))]
    signatures = {keys.signature(entry(2, prompt=prompt), [FAILED]) for prompt in prompts}
    assert len(signatures) == 2


def test_more_attempts_change_nothing(keys: Keys):
    assert keys.signature(ir.RetryPolicy(2), [FAILED]) == keys.signature(ir.RetryPolicy(9), [FAILED])
