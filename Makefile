# Python 3.11 or newer and make are all that must be there; the rest is installed into .venv.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
NOX := .venv-nox/bin/nox

# uv installs a whole Airflow in a fraction of the time that pip takes. As pip does, it is to compile what it
# installs: where Python may write no bytecode, each process would compile all of Airflow anew.
export UV_COMPILE_BYTECODE := 1
# It shows its progress only on a terminal.
QUIET := $(shell test -t 2 || echo --quiet)
UV_INSTALL = $(BIN)/uv pip install $(QUIET) --python
INSTALL = $(UV_INSTALL) $(BIN)/python --constraint constraints.txt

# Of these every branch is to be reached, of the rest nearly all.
WHOLE := airflow_provider_mstr/rest/*,airflow_provider_mstr/refresh/*

# Several tests at once, as most of them wait; those of a whole Airflow run one by one, so that none comes late.
MANY := -n 4 --dist worksteal
PYTEST = PATH="$(abspath $(BIN)):$$PATH" $(BIN)/pytest --junitxml=$(VENV)/results/$@.xml

.NOTPARALLEL:
.PHONY: help demo ui test test-all test-long test-airflow matrix celery coverage mutation docs bench lint format dist audit clean constraints

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ -/'

demo: $(INSTALLED)  ## refresh a data model of the sandbox from an example DAG, in this terminal
	@PYTHONPATH=$(CURDIR)/tests/support $(BIN)/python scripts/demo.py

ui: $(INSTALLED)  ## serve a real Airflow with the sandbox, the example DAGs and a history (PORT=8080)
	@PYTHONPATH=$(CURDIR)/tests/support $(BIN)/python scripts/ui.py

# PYTHON is a version or an interpreter.
VERSION = $(if $(filter 3.%,$(PYTHON)),$(PYTHON),$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'))

ifneq ($(AIRFLOW),)
test test-all test-long test-airflow: $(NOX)
	@$(NOX) --tags $(AIRFLOW)-$(VERSION) -- $@
else
test: $(INSTALLED)  ## run the quick tests, a few minutes (AIRFLOW=2.11.2 PYTHON=3.12)
	$(PYTEST) $(MANY) -m "not (long or whole_airflow)" $(ARGS) $(MAY_BE_NONE)

# The tests that ARGS selects need not be in each part.
test-all: MAY_BE_NONE = $(if $(ARGS),|| test $$? -eq 5)
test-all: test test-long test-airflow  ## run all tests, also the long ones and those with a whole Airflow

test-long: $(INSTALLED)
	HYPOTHESIS_PROFILE=ci $(PYTEST) $(MANY) -m "(long or hypothesis) and not whole_airflow" $(ARGS) $(MAY_BE_NONE)

test-airflow: $(INSTALLED)
	@$(BIN)/python tests/support/browser.py
	$(PYTEST) -m whole_airflow $(ARGS) $(MAY_BE_NONE)
endif

matrix: $(NOX)  ## run all tests on each Airflow and Python of tests/matrix.toml, for hours
	@$(NOX) --session tests

coverage: $(INSTALLED)  ## measure which branches the tests reach without a whole Airflow
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --ignore tests/system $(ARGS)
	$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --include '$(WHOLE)' --fail-under 100; whole=$$?; \
		$(BIN)/coverage report --omit '$(WHOLE)' --fail-under 95 && exit $$whole

mutation: $(INSTALLED)  ## check that a test fails for each small change of rest/, refresh/ and task/; a quarter of an hour
	$(INSTALL) --group mutation
	@# With a name, mutmut first runs the tests of the code as it is. It lists what no test fails for.
	HYPOTHESIS_PROFILE=default $(BIN)/mutmut run "airflow_provider_mstr.*" > $(VENV)/mutation.log || \
		{ tail -n 50 $(VENV)/mutation.log; exit 1; }
	@! $(BIN)/mutmut results | grep -v ': timeout$$'

celery: $(INSTALLED)  ## run 200 refreshes on the CeleryExecutor, with kills; a quarter of an hour (ARGS="--refreshes 20")
	$(UV_INSTALL) $(BIN)/python --group celery
	@PYTHONPATH=$(CURDIR)/tests/support $(BIN)/python tests/system/celery_executor/run.py $(ARGS)

docs: $(INSTALLED)  ## build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --clean --site-dir site

bench: $(INSTALLED)  ## compare with other providers, about an hour (ONLY=importing)
	$(UV_INSTALL) $(BIN)/python --group bench
	@for each in $(or $(ONLY),importing waiting noticing running wire scale mapping); do \
		echo; echo "## $$each"; PYTHONPATH=tests/support $(BIN)/python benchmarks/$$each.py $(ARGS) || exit; done

lint: $(INSTALLED)  ## run ruff, mypy and import-linter, and zizmor for the workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/zizmor --quiet --offline .github

dist: $(INSTALLED)  ## build the wheel and the sdist into dist/, check them, and install them in a clean environment
	$(INSTALL) --group dist
	rm -rf dist .venv-dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*
	$(BIN)/python -m pytest tests/integration/test_package.py
	$(PYTHON) -m venv .venv-dist
	$(UV_INSTALL) .venv-dist/bin/python dist/*.whl
	.venv-dist/bin/python scripts/installed.py
	$(UV_INSTALL) .venv-dist/bin/python --find-links dist "airflow-provider-mstr[openlineage]"
	.venv-dist/bin/python scripts/installed.py openlineage

# Look for known vulnerabilities in what the package brings with it.
audit: dist
	$(BIN)/pip-audit --strict --skip-editable --path .venv-dist/lib/python3*/site-packages

format: $(INSTALLED)  ## format the code and fix simple problems with ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove the files of the other targets
	rm -rf $(VENV) .venv-* .nox .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* mutants dist site

$(INSTALLED): pyproject.toml constraints.txt
	@echo "Installing into $(VENV); only the first time, a minute or more"
	@echo "1 of 3  Creating the environment"
	@$(PYTHON) -m venv $(VENV)
	@echo "2 of 3  Installing uv, which installs the rest"
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	@echo "3 of 3  Installing Airflow, this package and the development tools: over 200 packages"
	@$(INSTALL) --group dev --editable .
	@touch $@
	@echo "Installed"

$(NOX): pyproject.toml constraints.txt
	python3 -m venv .venv-nox
	.venv-nox/bin/pip install --quiet --upgrade pip
	.venv-nox/bin/pip install --quiet --constraint constraints.txt --group matrix
	@touch $@

# Pin the newest versions of all that make installs for development.
constraints: $(NOX)
	.venv-nox/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-annotate --no-header \
		--group dev --group mutation --group dist --group matrix pyproject.toml --output-file constraints.txt
