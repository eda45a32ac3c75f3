# What a newcomer needs: `make demo` to see it, `make test` to trust it.

.PHONY: setup demo check test fuzz bench evaluation gate clean
.DEFAULT_GOAL := help

PYTHON ?=
export PYTHON
BIN := .venv/bin
WEB := $(shell find console/web -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)

help:
	@echo "make setup   fill .venv and build the console"
	@echo "make demo    run everything here: embedded services, a simulated fleet, console and on-call"
	@echo "make check   formatting, lint, types, architecture"
	@echo "make test    all tests, against a real Mosquitto and a real TimescaleDB"
	@echo "make fuzz    give every decoder hostile bytes for FUZZ_SECONDS each; what escapes stays in var/fuzz"
	@echo "make bench   measure; results belong into docs/benchmarks.md"
	@echo "make evaluation RECORDINGS=folder   judge the standard scenario and real recordings into docs/evaluation.md"
	@echo "make gate    store the small scenario's figures, which every change is held against"

setup: .venv/.filled console/web/dist/index.html

.venv/.filled: requirements-dev.lock pyproject.toml scripts/setup-python
	@scripts/setup-python
	@touch $@

console/web/dist/index.html: $(WEB) scripts/setup-web | .venv/.filled
	@scripts/setup-web
	@touch $@

demo: setup
	@$(BIN)/shouhuan demo

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@scripts/setup-web check
	@scripts/setup-web test

test: setup
	$(BIN)/python -m tests.services install
	$(BIN)/python -m pytest

FUZZ_SECONDS ?= 120

fuzz: setup
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-virtualenv -r requirements-fuzz.lock
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

bench: setup
	$(BIN)/python -m bench

RECORDINGS ?= ../shared/data

evaluation: setup
	@mkdir -p var
	$(BIN)/shouhuan evaluate --scenario standard --restart --recordings $(RECORDINGS) --realism \
		--markdown docs/evaluation.md --json var/evaluation.json --html var/evaluation.html
	$(BIN)/shouhuan evaluate --scenario standard --seed 4711 --days 7 --sampling --markdown docs/sampling.md

gate: setup
	$(BIN)/shouhuan evaluate --scenario small --restart --store tests/evaluation/small.json

clean:
	rm -rf build dist var .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
