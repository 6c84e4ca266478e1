# Two commands matter: `make run` and `make test`. Each installs what it needs; the second time that takes no time.
.DEFAULT_GOAL := help
SHELL := /bin/bash

VENV := .venv
BIN := $(VENV)/bin
# The first Python of the right version; PYTHON=/path/to/python3.11 chooses another.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)
RUN_EXTRAS := app,worker,embedded
ALL_EXTRAS := $(RUN_EXTRAS),training,dev
# Tests that only compute run on all cores; those that start services, and kill them, have the machine to themselves.
PURE_TESTS := tests/models tests/engine tests/training tests/benchmarks
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(VENV)/installed-run ## Start server, worker and API; Ctrl-C stops them (SCANLINE_PORT=8001 make run: another port)
	@exec $(BIN)/python -m launcher

.PHONY: test
test: lint chromium ## Run every check: format, lint, types, import contracts, all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile $(PURE_TESTS)
	$(BIN)/python -m pytest $(PURE_TESTS:%=--ignore=%)

.PHONY: bench
bench: $(VENV)/installed-all ## Measure drawing, scoring and the whole service, in about eight minutes
	$(BIN)/python -m benchmarks

.PHONY: lint
lint: $(VENV)/installed-all ## Run ruff, mypy and import-linter
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: $(VENV)/installed-all ## Rewrite the code in the one format, repair what can be repaired
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: install
install: $(VENV)/installed-all ## Install everything, training and test tools included

.PHONY: lock
lock: $(VENV)/installed-all ## Write constraints.txt from what is installed
	$(BIN)/python scripts/lock.py

.PHONY: chromium
chromium: ## Install Chromium for the browser tests, if there is none
	@scripts/need-chromium

.PHONY: clean
clean: ## Remove the environment and caches; state/, data/ and runs/ stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info engine/native/build

# Each file is the mark of one finished install; a change of what goes into it makes it out of date.
INSTALLED_FROM := pyproject.toml constraints.txt $(wildcard setup.py engine/native/build.py engine/native/src/*)

$(VENV)/installed-run: $(INSTALLED_FROM) | $(BIN)/python
	@echo "Installing packages into $(VENV); the first time this takes a minute or two"
	$(PIP) install -q -c constraints.txt -e '.[$(RUN_EXTRAS)]'
	@touch $@

$(VENV)/installed-all: $(INSTALLED_FROM) | $(BIN)/python
	@echo "Installing packages into $(VENV), test and training tools too; the first time this takes two minutes or so"
	$(PIP) install -q -c constraints.txt -e '.[$(ALL_EXTRAS)]'
	@touch $@ $(VENV)/installed-run

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Scanline needs Python 3.11 or newer on the PATH (or PYTHON=/path/to/python3.11)"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Python's venv module is not complete; on Debian: apt-get install python3-venv"; exit 1; }
