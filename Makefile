# Python 3.11 or newer and make are all that must be there; the rest is installed into .venv.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help demo ui test celery docs bench lint format clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ -/'

demo: $(INSTALLED)  ## refresh a data model of the sandbox from an example DAG, in this terminal
	@$(BIN)/python scripts/demo.py

ui: $(INSTALLED)  ## serve a real Airflow with the sandbox and the example DAGs (PORT=8080)
	@$(BIN)/python scripts/ui.py

test: $(INSTALLED)  ## the whole test suite
	@$(BIN)/python scripts/browser.py
	$(BIN)/python -m pytest $(ARGS)

celery: $(INSTALLED)  ## 200 refreshes on the CeleryExecutor, with kills; a quarter of an hour (ARGS="--refreshes 20")
	$(BIN)/pip install --quiet --group celery
	@PYTHONPATH=$(CURDIR)/scripts:$(CURDIR)/tests/system $(BIN)/python tests/system/celery_executor/run.py $(ARGS)

docs: $(INSTALLED)  ## build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --clean --site-dir site

bench: $(INSTALLED)  ## measure beside other providers, about a quarter of an hour (ONLY=importing)
	$(BIN)/pip install --quiet --group bench
	@for each in $(or $(ONLY),importing waiting noticing wire scale); do \
		echo; echo "## $$each"; $(BIN)/python benchmarks/$$each.py $(ARGS) || exit; done

lint: $(INSTALLED)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove what the targets above have made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist site

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --group dev --editable .
	@touch $@
