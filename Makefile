# `make demo` and `make test` need only Python, make and git: they set up .venv themselves, from the pinned and hashed
# requirement files, and do so once.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# What the demo needs is part of what development needs: where that is installed already, use it.
DEMO_READY := $(if $(wildcard $(VENV)/dev.ready),$(VENV)/dev.ready,$(VENV)/demo.ready)
DEV_READY := $(VENV)/dev.ready

PYTEST_ARGS ?= -n auto
COVERAGE ?=

# Rooms in which a missed branch can lose a secret or a key, each with its floor in percent, and the floor for everything.
COVERED := plan:98 policy:100 apply:95 vault:100
COVERAGE_FLOOR := 97

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check lint format types layers schemas workflows coverage coverage-gate crash soak bench bench-large bench-small bench-rate docs fmt lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

demo: $(DEMO_READY) ## Run the main job end to end, against emulators of six products and a real OpenBao
	@$(BIN)/reconciler demo $(ARGS)

test: $(DEV_READY) ## Run the whole test suite (COVERAGE=1 measures branches; PYTEST_ARGS="-n0 tests/plan" narrows it)
	@$(BIN)/python -m pytest $(PYTEST_ARGS) $(if $(COVERAGE),--cov --cov-report= --ignore=tests/faults)
	@$(if $(COVERAGE),$(BIN)/python -m pytest $(PYTEST_ARGS) tests/faults,:)

check: lint format types layers schemas workflows ## Everything static: ruff, mypy, import-linter, schemas up to date, workflows

lint: $(DEV_READY)
	@$(BIN)/ruff check --quiet .

format: $(DEV_READY)
	@$(BIN)/ruff format --check --quiet . || { echo "'make fmt' formats the code." >&2; exit 1; }

types: $(DEV_READY)
	@$(BIN)/mypy --no-error-summary

layers: $(DEV_READY)
	@$(BIN)/lint-imports --no-logo >$(VENV)/layers.txt || { cat $(VENV)/layers.txt >&2; exit 1; }

schemas: $(DEV_READY)
	@$(BIN)/reconciler schema --check --out schemas

# zizmor asks nobody: ZIZMOR="" and a GH_TOKEN let it ask GitHub, too. jactionlint takes shellcheck from the path.
PIPELINES := $(wildcard .github/workflows/*.yml examples/ci/github/*.yml)
ZIZMOR ?= --offline
workflows: $(DEV_READY) ## Check workflows, actions, the GitLab example and shell scripts
	@$(BIN)/zizmor $(ZIZMOR) --quiet --no-progress .github $(PIPELINES) >$(VENV)/zizmor.txt || { cat $(VENV)/zizmor.txt >&2; exit 1; }
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/jactionlint --strict-exit
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/jactionlint --strict-exit $(PIPELINES)
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows $(PIPELINES)
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-actions .github/actions/*/action.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci examples/ci/gitlab-ci.yml
	@$(BIN)/shellcheck .ci/run .github/actions/*/*.sh

coverage: ## Run the tests with branch coverage, and hold it to the gates
	@$(MAKE) --no-print-directory test COVERAGE=1
	@$(MAKE) --no-print-directory coverage-gate

coverage-gate: $(DEV_READY)
	@$(BIN)/coverage combine --append --quiet >/dev/null 2>&1 || test -f .coverage  # of processes that outlived pytest
	@$(BIN)/coverage report --fail-under=$(COVERAGE_FLOOR)
	@failed=0; for room in $(COVERED); do \
	  $(BIN)/coverage report --include="reconciler/$${room%:*}/*" --fail-under=$${room#*:} | sed -n "s|^TOTAL|reconciler/$${room%:*}|p"; \
	  $(BIN)/coverage report --include="reconciler/$${room%:*}/*" --fail-under=$${room#*:} >/dev/null \
	    || { echo "reconciler/$${room%:*} must be covered to $${room#*:} %, branches included: see the table above." >&2; failed=1; }; \
	done; exit $$failed

crash: $(DEV_READY) ## Kill runs at every boundary there is (ARGS="-k rotate" narrows it); `make test` takes a part of them
	@RECONCILER_CRASH=all $(BIN)/python -m pytest -n auto --dist worksteal tests/faults/test_crash.py $(ARGS)

soak: $(DEV_READY) ## Play 20,000 random schedules that nobody has played before (ARGS="-k cortex" narrows it)
	@RECONCILER_SOAK=$${RECONCILER_SOAK:-20000} RECONCILER_SOAK_SEED=$${RECONCILER_SOAK_SEED:-$$(date +%s)} \
	  $(BIN)/python -m pytest -n auto tests/faults/soak/test_soak.py $(ARGS)

bench: $(DEV_READY) ## Measure everything against its budgets and peers (SUBJECTS="load plan" narrows it; ARGS="--keys 1000")
	@$(BIN)/python -m benchmarks $(SUBJECTS) --out build/bench.json $(ARGS)

bench-large: $(DEV_READY) ## Growth and memory, to 100,000 keys (half an hour)
	@$(BIN)/python -m benchmarks load scale --keys 100000 --tenants 500 --rounds 1 --out build/bench-large.json

bench-small: $(DEV_READY) ## A small estate against wider budgets, in a minute or two: what CI runs
	@$(BIN)/python -m benchmarks startup load plan --keys 2000 --tenants 10 --rounds 5 --clock cpu --out build/bench-small.json

bench-rate: $(DEV_READY) ## Measure how much of a vendor's rate is used, and that it is never exceeded
	@$(BIN)/python -m benchmarks.rate --out build/bench-rate.json $(ARGS)

docs: $(DEV_READY) ## Generate the schemas and the documentation's tables anew
	@$(BIN)/reconciler schema --out schemas
	@$(BIN)/python -m tests.docs.tables

fmt: $(DEV_READY) ## Format the code and fix what ruff can fix
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

# The index alone decides on the hashes: a wheel that only lies on this machine would fit nowhere else. Resolved with
# the oldest Python that we support, whose requirements include those of the newer ones.
lock: export PIP_CONFIG_FILE := /dev/null
lock: export CUSTOM_COMPILE_COMMAND := make lock
lock: COMPILE := env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL $(BIN)/pip-compile --quiet --generate-hashes --strip-extras \
	--allow-unsafe --no-emit-index-url --no-emit-trusted-host --no-emit-find-links $(ARGS)
lock: $(DEV_READY) ## Resolve the requirement files anew (ARGS=--upgrade takes newer releases)
	@$(BIN)/python -c 'import sys; sys.exit("lock with Python 3.11" if sys.version_info[:2] != (3, 11) else 0)'
	@$(COMPILE) --extra=emulator --extra=openbao -o requirements/dev.txt pyproject.toml requirements/build.in requirements/dev.in
	@$(COMPILE) --extra=emulator --extra=openbao -c requirements/dev.txt -o requirements/demo.txt pyproject.toml
	@$(COMPILE) -c requirements/dev.txt -o requirements/build.txt requirements/build.in
	@$(COMPILE) -c requirements/dev.txt -o requirements/runtime.txt pyproject.toml
	@for other in requirements/sdk-*.in requirements/bench-*.in; do \
	  $(COMPILE) -o "$${other%.in}.txt" "$$other" || exit 1; done  # each on its own: they clash

clean: ## Remove everything that make made
	@rm -rf $(VENV) build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, and '$(PYTHON)' is not. Name one: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  rm -rf $(VENV); echo "'$(PYTHON) -m venv' failed; Debian and Ubuntu keep it in a package of its own, python3-venv." >&2; exit 1; }

$(VENV)/%.ready: requirements/%.txt requirements/build.txt pyproject.toml | $(BIN)/python
	@echo "Setting up $(VENV) from $< …" >&2
	@$(BIN)/python -m pip install -qq --require-hashes --only-binary=:all: -r requirements/build.txt
	@$(BIN)/python -m pip install -qq --require-hashes --no-build-isolation -r $<
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
	@touch $@
