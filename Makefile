# What people and CI type. Every target makes its own environment first, and makes it again only when
# pyproject.toml or constraints.txt has changed.

VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
STAMP := $(VENV)/.installed
JOBS ?= 2
PYTEST_ARGS ?=

# The first interpreter that is new enough; `make PYTHON=…` overrides.
PYTHON ?= $(shell for candidate in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$candidate; break; fi; done)

.DEFAULT_GOAL := help
.PHONY: help demo test check bench clean update-golden

help:
	@echo 'make demo           run a real workflow in a new repository, offline, no credentials needed'
	@echo 'make test           lint, type check and all tests'
	@echo 'make check          lint and type check only'
	@echo 'make bench          measure, with the figures that docs/testing.md quotes'
	@echo 'make agents         install the agent CLIs that the tests in tests/agents drive (needs npm)'
	@echo 'make editors        install the language server that the tests in tests/editors drive (needs npm)'
	@echo 'make update-golden  rewrite the expected outputs; the review is the diff'
	@echo 'make clean          remove everything that make has made'

demo: $(STAMP)
	@cd "$$(mktemp -d)" && "$(BIN)/gumpc" demo

# The agent CLIs are optional: without npm or a network, the tests that drive them say so and the others run.
test: check
	@$(MAKE) --no-print-directory agents || echo 'agents: not installed, the tests that drive them will be skipped'
	@$(MAKE) --no-print-directory editors || echo 'editors: not installed, the tests that drive it will be skipped'
	@"$(BIN)/pytest" -n $(JOBS) $(PYTEST_ARGS)

check: $(STAMP)
	@"$(BIN)/ruff" check
	@"$(BIN)/ruff" format --check
	@"$(BIN)/mypy"

bench: $(STAMP)
	@for script in tests/bench/[!_]*.py; do echo "== $$script"; "$(BIN)/python" "$$script" || exit 1; done

update-golden: $(STAMP)
	@"$(BIN)/python" -m tests.arch.picture
	@"$(BIN)/python" -m tests.arch.diagnostics_page
	@GUMPC_UPDATE_GOLDEN=1 "$(BIN)/pytest" -n $(JOBS) $(PYTEST_ARGS)

clean:
	@rm -rf $(VENV) .agents .editors .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage build dist
	@find gumpc runtime grammar tests examples -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml constraints.txt
	@if command -v uv >/dev/null 2>&1; then \
		{ test -x "$(BIN)/python" || uv venv --quiet --seed --python '>=3.11' $(VENV); } && \
		uv pip install --quiet --python "$(BIN)/python" -e '.[dev]' -c constraints.txt; \
	elif test -n "$(PYTHON)"; then \
		"$(PYTHON)" -m venv $(VENV) && \
		"$(BIN)/python" -m pip install --quiet --disable-pip-version-check -e '.[dev]' -c constraints.txt; \
	else \
		echo 'gumpc needs Python 3.11 or newer, and none was found: install one, or say make PYTHON=/path/to/python3' >&2; exit 1; \
	fi
	@touch $@

-include tests/agents/agents.mk
-include tests/editors/editors.mk
