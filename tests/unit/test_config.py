from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from gumpc.config import KEYS, OTHER_VARIABLES, Config, ConfigError, Price, find, load

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
SAMPLE = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)[1]  # type: ignore[index]


def project(text: str, **environment: str) -> Config:
    return load(project=text, user=None, environment=environment, project_file="gump.toml", user_file="config.toml")


def fault(text: str, **environment: str) -> ConfigError:
    with pytest.raises(ConfigError) as raised:
        project(text, **environment)
    return raised.value


def values(config: object, prefix: str = "") -> dict[str, object]:
    """Every scalar of the sections by dotted name."""
    found: dict[str, object] = {}
    for field in fields(config):  # type: ignore[arg-type]
        value = getattr(config, field.name)
        if is_dataclass(value):
            found |= values(value, f"{prefix}{field.name}.")
        elif field.name not in ("prices", "agents", "sources"):
            found[f"{prefix}{field.name}"] = value
    return found


def test_each_value_of_the_config_has_one_key_and_one_variable() -> None:
    assert sorted(values(Config())) == sorted(key.name for key in KEYS)
    assert len({key.variable for key in KEYS}) == len(KEYS)


def test_the_sample_of_the_page_holds_every_key_and_the_defaults_it_claims() -> None:
    config = project(SAMPLE)
    own = {"budget.max_budget": 8.0, "secrets.names": ("MYTOOL_API_KEY",)}
    assert values(config) == values(Config()) | own
    assert {key.name for key in KEYS} <= set(config.sources)
    assert config.prices == {"mymodel-2": Price(2.0, 10.0, 0.2, 2.5)}
    agent = config.agents["mytool"]
    assert agent.command == ("mytool", "--json")
    assert agent.resume[-1] == "{session_id}"
    assert (agent.model, agent.format, agent.env, agent.unset_env) == (
        "mymodel-2",
        "jsonl",
        (("MYTOOL_COLOR", "never"),),
        ("CI",),
    )
    assert config.agents["offline"].script == "demo/offline.json"


def test_the_page_lists_every_variable() -> None:
    listed = set(re.findall(r"`(GUMP_[A-Z_]+)`", PAGE))
    assert listed == {key.variable for key in KEYS} | set(OTHER_VARIABLES)


def test_later_layers_win_value_by_value_and_say_where_from() -> None:
    config = load(
        user='default_agent = "claude-opus"\n[validation]\ntest_cmd = "user"\nlint_cmd = "user"\ntimeout = "1m"',
        project='[validation]\ntest_cmd = "project"\nlint_cmd = "project"',
        environment={"GUMP_VALIDATION_LINT_CMD": "environment", "PATH": "/bin"},
        project_file="gump.toml",
        user_file="config.toml",
    )
    assert config.default_agent == "claude-opus"
    assert config.validation.test_cmd == "project"
    assert config.validation.lint_cmd == "environment"
    assert config.validation.timeout == 60.0
    assert config.source("validation.timeout") == "config.toml"
    assert config.source("validation.test_cmd") == "gump.toml"
    assert config.source("validation.lint_cmd") == "GUMP_VALIDATION_LINT_CMD"
    assert config.source("validation.compile_cmd") == "default"


def test_a_blank_command_takes_back_an_earlier_one() -> None:
    config = load(user='validation.test_cmd = "make"', project='validation.test_cmd = ""', environment={})
    assert config.validation.test_cmd is None


def test_an_agent_table_replaces_the_earlier_one_as_a_whole() -> None:
    config = load(
        user='[agents.a]\ncommand = ["old"]\nmodel_args = ["{model}"]\n[agents.b]\ncommand = ["b"]',
        project='[agents.a]\ncommand = ["new"]',
        environment={},
    )
    assert (config.agents["a"].command, config.agents["a"].model_args) == (("new",), ())
    assert config.agents["b"].command == ("b",)


def test_paths_are_taken_from_the_folder_of_their_file() -> None:
    text = '[agents.a]\ncommand = ["tools/a", "x/y"]\n[agents.offline]\nscript = "demo.json"'
    config = load(project=text, user=None, environment={}, project_file="/repo/gump.toml")
    assert config.agents["a"].command == ("/repo/tools/a", "x/y")
    assert config.agents["offline"].script == "/repo/demo.json"


@pytest.mark.parametrize(
    ("variable", "text", "read"),
    [
        ("GUMP_DEFAULT_AGENT", "offline", lambda c: c.default_agent == "offline"),
        ("GUMP_VALIDATION_TIMEOUT", "1h30m5s", lambda c: c.validation.timeout == 5405.0),
        ("GUMP_BUDGET_MAX_BUDGET", "2.5", lambda c: c.budget.max_budget == 2.5),
        ("GUMP_ERROR_CONTEXT_MAX_DIFF_CHARS", "50", lambda c: c.error_context.max_diff_chars == 50),
        ("GUMP_DISPLAY_COLOR", "0", lambda c: c.display.color is False),
        ("GUMP_CACHE_REUSE", "rebase", lambda c: c.cache.reuse == "rebase"),
        ("GUMP_SECRETS_NAMES", "A_KEY, B_KEY", lambda c: c.secrets.names == ("A_KEY", "B_KEY")),
    ],
)
def test_variables_are_read_as_what_their_key_holds(variable: str, text: str, read) -> None:  # type: ignore[no-untyped-def]
    assert read(project("", **{variable: text}))


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        ('\n[validation]\n# x\ntest_cdm = "x"', 4, "validation.test_cdm", "did you mean `test_cmd`"),
        ('defualt_agent = "x"', 1, "defualt_agent", "did you mean `default_agent`"),
        ("[vlidation]\n", 1, "vlidation", "did you mean `validation`"),
        ('[validation]\n"validation.timeout" = "1m"', 2, "validation.validation.timeout", "unknown key"),
        ('"validation.timeout" = "1m"', 1, "validation.timeout", "unknown key"),
        ("validation = 3", 1, "validation", "expected a table"),
        ('[validation]\ntimeout = "10 minutes"', 2, "validation.timeout", "expected a duration"),
        ('[validation]\ntimeout = "0s"', 2, "validation.timeout", "expected a duration"),
        ("[validation]\ntimeout = 10", 2, "validation.timeout", "expected a duration"),
        ("[budget]\nmax_budget = nan", 2, "budget.max_budget", "USD above 0"),
        ("[budget]\nmax_budget = -1", 2, "budget.max_budget", "USD above 0"),
        ("[budget]\nmax_budget = true", 2, "budget.max_budget", "USD above 0"),
        (f"[budget]\nmax_budget = 1{'0' * 400}", 2, "budget.max_budget", "USD above 0"),
        ('[cache]\nreuse = "exat"', 2, "cache.reuse", "did you mean `exact`"),
        ('[cache]\nenabled = "yes"', 2, "cache.enabled", "true or false"),
        ('[secrets]\nnames = ["A B"]', 2, "secrets.names", "environment variables"),
        ('[display]\ncolor = true\n[sandbox]\nwrite = [\n  "a",\n  3,\n]', 4, "sandbox.write", "expected a text"),
        ('[prices."m"]\ninput = 1\n', 1, "prices.m", "`output` is missing"),
        ('[prices."m"]\ninput = 1\noutput = "2"', 3, "prices.m.output", "USD"),
        ('[prices."m"]\ninput = 1\noutput = 2\ncached = 1', 4, "prices.m.cached", "unknown key"),
        ("[agents.a]\n", 1, "agents.a", "needs `command`"),
        ('[agents.pass]\ncommand = ["a"]', 1, "agents.pass", "cannot be the name"),
        ('[agents.a]\ncommand = "a b"', 2, "agents.a.command", "list of texts"),
        ('[agents.a]\ncommand = ["a"]\nresumee = ["b"]', 3, "agents.a.resumee", "did you mean `resume`"),
        ('[agents.a]\ncommand = ["a", "{model}"]', 2, "agents.a.command", "belongs into `model_args`"),
        ('[agents.a]\ncommand = ["a", "{prompt_file}"]', 2, "agents.a.command", "not offered"),
        ('[agents.a]\ncommand = ["a"]\nprompt = "arg"', 3, "agents.a.prompt", "not offered"),
        ('[agents.a]\ncommand = ["a"]\nformat = "claude"', 3, "agents.a.format", "not offered"),
        ('[agents.a]\ncommand = ["a"]\n[agents.a.rules]\nx = 1', 3, "agents.a.rules", "not offered"),
        ('[agents.a]\ncommand = ["a"]\nresume = ["a", "{session_id}"]', 3, "agents.a.resume", "jsonl"),
        ('[agents.a]\ncommand = ["a"]\nmodel = "m"', 3, "agents.a.model", "needs `model_args`"),
        ('[agents.a]\ncommand = ["a\\u0000"]', 2, "agents.a.command", "expected a text"),
        ('[agents.a]\ncommand = ["a"]\nenv = { "A=B" = "c" }', 3, "agents.a.env", "environment variables"),
        ('[agents.a]\ncommand = ["a"]\nenv = { A = 1 }', 3, "agents.a.env", "table of texts"),
        ('[agents.offline]\ncommand = ["a"]', 2, "agents.offline.command", "unknown key"),
        ("agents = 1", 1, "agents", "expected a table"),
        ("[validation\n", 1, "", "not TOML"),
        ('x = """\n\n', 3, "", "not TOML"),
        ("a = " + "[" * 100_000, None, "", "not TOML"),
        ("a = " + "1" * 100_000, None, "", "not TOML"),
    ],
)
def test_a_fault_is_an_error_with_its_place(text: str, line: int | None, key: str, words: str) -> None:
    error = fault(text)
    assert (error.file, error.line, error.key) == ("gump.toml", line, key)
    assert words in error.message
    assert str(error).startswith("gump.toml" if line is None else f"gump.toml:{line}: ")


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("GUMP_VALIDATON_TIMEOUT", "1m", "did you mean `GUMP_VALIDATION_TIMEOUT`"),
        ("GUMP_BUDGET_MAX_BUDGET", "much", "USD above 0"),
        ("GUMP_DISPLAY_VERBOSE", "perhaps", "true or false"),
    ],
)
def test_a_fault_of_a_variable_names_it(variable: str, text: str, words: str) -> None:
    error = fault("", **{variable: text})
    assert (error.file, error.line, error.key) == ("environment", None, variable)
    assert words in error.message


def test_find_reads_both_files_and_does_without_either(tmp_path: Path) -> None:
    root, home = tmp_path / "repo", tmp_path / "home"
    (home / ".gump").mkdir(parents=True)
    root.mkdir()
    assert find(root, home, environment={}) == Config()
    (root / "gump.toml").write_text('default_agent = "offline"')
    (home / ".gump" / "config.toml").write_bytes(b"\xef\xbb\xbf[display]\r\nverbose = true\r\n")
    config = find(root, home, environment={})
    assert (config.default_agent, config.display.verbose) == ("offline", True)
    assert config.source("default_agent") == str(root / "gump.toml")
    assert find(None, home, environment={}).default_agent == "claude-sonnet"


@pytest.mark.parametrize("make", [lambda path: path.write_bytes(b"\xff\xfe"), lambda path: path.mkdir()])
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path / "gump.toml")
    with pytest.raises(ConfigError, match=r"gump\.toml"):
        find(tmp_path, tmp_path, environment={})


def test_without_a_config_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from gumpc.config import load; from gumpc.agent_names import resolve_agent;"
        "resolve_agent('claude-opus', load(project=None, user=None, environment={}));"
        "print(*sorted({'tomllib', 'yaml', 'pydantic', 'networkx', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
