# The language server that tests/editors drives: `make editors` installs it from npm into .editors, which git ignores.
# EDITORS_DIR is where (the tests read the same variable). Pinned, since messages change from one version to the next.

EDITORS_DIR ?= .editors
EDITOR_PACKAGES ?= yaml-language-server@1.25.0
EDITORS_STAMP := $(EDITORS_DIR)/.installed

.PHONY: editors
editors: $(EDITORS_STAMP)

$(EDITORS_STAMP): $(dir $(lastword $(MAKEFILE_LIST)))editors.mk
	@command -v npm >/dev/null 2>&1 || { echo 'editors: npm was not found; install Node.js to run the tests that drive a language server' >&2; exit 1; }
	@mkdir -p "$(EDITORS_DIR)"
	@npm install --prefix "$(EDITORS_DIR)" --no-save --no-package-lock --no-audit --no-fund --loglevel=error $(EDITOR_PACKAGES) \
		|| { echo 'editors: npm could not install $(EDITOR_PACKAGES)' >&2; exit 1; }
	@touch $@
