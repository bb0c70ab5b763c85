# What each command needs, it sets up by itself in .venv, from the locked versions.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 3
CALLS ?= 50000
SEED ?= 1

.PHONY: help setup demo test browser screenshots interop media week test-newer check format lab lab-stop lock clean
help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## install everything into .venv

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "dialer needs Python 3.11 or newer; $(PYTHON) is older. Run: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@if command -v uv >/dev/null; then \
	  uv venv -q --allow-existing --python $(PYTHON) $(VENV) && \
	  uv pip install -q --python $(BIN)/python --require-hashes -r requirements-dev.lock && \
	  uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else \
	  { $(PYTHON) -m venv $(VENV) || { echo "python's venv module is missing. Run: sudo apt-get install python3-venv" >&2; exit 1; }; } && \
	  $(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock && \
	  $(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi
	@touch $@

demo: $(STAMP) ## call 200 simulated numbers and compare with the far end's ledger
	$(BIN)/dialer demo $(ARGS)

test: $(STAMP) ## every test: real Postgres, Asterisk, SIPp, a pyVoIP telephone
	@sip/tools.sh
	$(BIN)/pytest -q -n $(WORKERS) --dist worksteal $(ARGS)

interop: $(STAMP) ## against Asterisk, Kamailio, baresip, pyVoIP and SIPp, with a table of verdicts
	@sip/tools.sh
	$(BIN)/python -m pytest -q -n $(WORKERS) -p tests.interop_table tests/e2e $(ARGS)

browser: $(STAMP) ## the dashboard in Chromium: a user's way, accessibility, keyboard, roles
	@sip/tools.sh chromium
	$(BIN)/pytest -q -n $(WORKERS) --dist loadfile tests/web $(ARGS)

screenshots: $(STAMP) ## take the pictures of the documentation
	@sip/tools.sh chromium
	$(BIN)/python -m tests.web.pictures $(ARGS)

media: $(STAMP) .venv-pipecat/.installed ## what happens on answered calls, against Asterisk, Pipecat and 200 bots, with a table
	@sip/tools.sh
	$(BIN)/python -m pytest -q -n $(WORKERS) -p tests.media_table --bots 200 -o norecursedirs=".*" tests $(ARGS)

.venv-pipecat/.installed: requirements-pipecat.lock
	@if command -v uv >/dev/null; then \
	  uv venv -q --allow-existing --python $(PYTHON) .venv-pipecat && \
	  uv pip install -q --python .venv-pipecat/bin/python --require-hashes -r requirements-pipecat.lock; \
	else \
	  $(PYTHON) -m venv .venv-pipecat && \
	  .venv-pipecat/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements-pipecat.lock; \
	fi
	@touch $@

week: $(STAMP) ## a week of the whole service in virtual time, and what is wrong after it (CALLS=, SEED=)
	$(BIN)/python -m tests.week.week --calls $(CALLS) --seed $(SEED)

test-newer: ## tests/unit and tests/wire on the newer Pythons of this machine
	@.ci/newer-pythons

check: $(STAMP) ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## put the code into its format
	$(BIN)/ruff check --fix-only -q .
	$(BIN)/ruff format -q .

lab: $(STAMP) ## start the test PBX (Asterisk) on 127.0.0.1 for a person
	sip/asterisk/lab.sh start .lab

lab-stop: ## stop the test PBX
	sip/asterisk/lab.sh stop .lab

LOCK := uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --python-version 3.11
lock: ## write the locked versions anew (needs uv)
	$(LOCK) pyproject.toml -o requirements.lock
	$(LOCK) --group dev pyproject.toml -o requirements-dev.lock
	$(LOCK) --group pyproject.toml:pipecat -o requirements-pipecat.lock

clean: ## remove what the commands made, but not the lab's cache
	rm -rf $(VENV) .venv-* .lab .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
