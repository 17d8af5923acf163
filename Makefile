# Everything sets itself up: `make run` and `make test` work on a fresh machine with Python 3.12 or newer.
.DEFAULT_GOAL := help
.PHONY: help setup run test fuzz soak check-static bench format goldens clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PORT ?= 8080
FUZZ_SECONDS ?= 600
SOAK_SECONDS ?= 1800

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP)  ## make .venv with the embargo command

$(STAMP): pyproject.toml tools/find-python
	@tools/find-python --make-venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@touch $(STAMP)

run: setup  ## run the proxy on 127.0.0.1:8080 with domains.yaml (PORT=3128 for another port)
	$(BIN)/embargo run --port $(PORT)

test: setup  ## all tests and static checks; installs what they need first
	tools/install-test-tools
	$(MAKE) --no-print-directory check-static
	$(BIN)/python -m pytest -n 3 --dist loadfile

fuzz: setup  ## look for what passes or breaks for ten minutes (FUZZ_SECONDS=60 for another time)
	EMBARGO_FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python -m pytest tests/fuzz

soak: setup  ## half an hour of mixed traffic with faults, and gigabytes (SOAK_SECONDS=300); draws docs/images/soak.svg
	tools/install-test-tools
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group soak
	EMBARGO_SOAK_SECONDS=$(SOAK_SECONDS) EMBARGO_SOAK_REPORT=docs $(BIN)/python -m pytest tests/soak -rP

check-static: setup  ## ruff, mypy and the import contracts
	$(BIN)/ruff check addon tests
	$(BIN)/ruff format --check addon tests
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: setup  ## every figure beside its peer, in one run
	tools/install-test-tools wrk
	$(BIN)/python -m tests.bench

format: setup  ## bring the code into its form
	$(BIN)/ruff check --fix addon tests
	$(BIN)/ruff format addon tests

goldens: setup  ## write the golden files anew; read the difference before you commit it
	RENEW_GOLDEN=1 $(BIN)/python -m pytest -q

clean:  ## remove what setup and tests made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
