# Two commands for a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

BENCH := benchmarks/.venv

# Kept on disk even where the surroundings forbid it: many tests start processes, each of which would compile anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test test-full facts bench bench-check clean

demo: $(VENV)/.installed
	$(BIN)/ganglion demo

test: $(VENV)/.installed-test
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -m "not full" -n 2 --dist loadgroup

test-full: $(VENV)/.installed-test
	$(BIN)/pytest -n 2 --dist loadgroup

# Parameter counts, layer tables and flags that `list`, `info` and `--help` show without importing torch.
facts: $(VENV)/.installed-test
	$(BIN)/python -m ganglion.runs.facts
	$(BIN)/python -m ganglion.runs.task_facts

# Ganglion beside its peers, each in processes of its own; an hour, on a machine that does nothing else.
bench: $(BENCH)/.installed
	$(BENCH)/bin/python -m benchmarks.peers
	$(BENCH)/bin/python -m benchmarks.levers
	$(BENCH)/bin/python -m benchmarks.curves
	$(BENCH)/bin/python -m benchmarks.start
	$(BENCH)/bin/python -m benchmarks.table

# Fails where a ratio fell by over a tenth of what is recorded of this machine.
bench-check: $(BENCH)/.installed
	$(BENCH)/bin/python -m benchmarks.peers --check --rounds 3

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ganglion needs Python 3.11 or later")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install --quiet -c constraints.txt -e .
	touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install --quiet -c constraints.txt -e ".[test]"
	touch $@

$(BENCH)/.installed: pyproject.toml benchmarks/requirements.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/pip install --quiet -r benchmarks/requirements.txt -e .
	touch $@

clean:
	rm -rf $(VENV) $(BENCH) build dist .mypy_cache .ruff_cache
