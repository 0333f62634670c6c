# `make demo` and `make test` set up what they need: Python 3.11+ with venv, git and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2

.PHONY: demo test coverage format docs clean help

help:
	@echo "make demo    set up, then run the whole line on real data with the embedded model"
	@echo "make test    set up, then run every check that CI runs"
	@echo "make coverage run the tests and print what they do not reach"
	@echo "make format  format the code; make docs  write the generated reference pages"

demo: $(READY)
	@$(BIN)/promptyard demo $(ARGS)

test: $(READY)
	@echo "== ruff";          $(BIN)/ruff format --check . && $(BIN)/ruff check .
	@echo "== import-linter"; $(BIN)/lint-imports
	@echo "== pyright";       $(BIN)/pyright
	@echo "== generated docs"; $(BIN)/python -m docs.generate --check
	@echo "== pytest";        $(BIN)/python -m pytest -n $(WORKERS)

coverage: $(READY)
	@$(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report=term:skip-covered

format: $(READY)
	@$(BIN)/ruff check --fix-only . ; $(BIN)/ruff format .

docs: $(READY)
	@$(BIN)/python -m docs.generate

# One set-up for everything; it is done again when the dependencies change.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Promptyard needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 2; }
	@echo "Setting up $(VENV): Promptyard and its tools from the package index (about a minute) ..."
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "error: this Python has no venv; install it (Debian: apt-get install python3-venv)"; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .coverage
