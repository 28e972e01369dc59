# The agent CLIs that tests/agents drives: `make agents` installs them from npm into .agents, which git ignores.
# AGENTS_DIR is where (the tests read the same variable), AGENT_PACKAGES what: a CLI is added by adding its package.
# Pinned, since a CLI's stream changes from one version to the next; a new version is a change of this file.

AGENTS_DIR ?= .agents
AGENT_PACKAGES ?= @anthropic-ai/claude-code@2.1.329
AGENTS_STAMP := $(AGENTS_DIR)/.installed

.PHONY: agents
agents: $(AGENTS_STAMP)

# An older Node than the package asks for is no hindrance: what is installed is a native program, and npm only warns.
$(AGENTS_STAMP): $(dir $(lastword $(MAKEFILE_LIST)))agents.mk
	@command -v npm >/dev/null 2>&1 || { echo 'agents: npm was not found; install Node.js to run the tests that drive agent CLIs' >&2; exit 1; }
	@mkdir -p "$(AGENTS_DIR)"
	@npm install --prefix "$(AGENTS_DIR)" --no-save --no-package-lock --no-audit --no-fund --loglevel=error $(AGENT_PACKAGES) \
		|| { echo 'agents: npm could not install $(AGENT_PACKAGES)' >&2; exit 1; }
	@touch $@
