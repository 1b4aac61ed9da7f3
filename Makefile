# `make run` and `make test` need Python 3.10 or later and nothing else. On Linux: BACKEND=cpu (default) or cuda.
PYTHON ?= python3
BACKEND ?= cpu
BIN := .venv/bin

ifeq ($(shell uname -s),Darwin)
EXTRAS := test
else
EXTRAS := test,$(BACKEND)
endif

RELEASES := 0.26.5 0.28.0 0.29.4 0.30.6 0.31.2 0.32.0 0.32.4

.PHONY: run test lint format claims baselines report picture docs clean

run: .venv/installed
	$(BIN)/mlxprobe run

test: .venv/installed lint
	$(BIN)/pytest tests -n 2
	$(BIN)/pytest scenarios -n 2

lint: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: .venv/installed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

claims: .venv/installed
	$(BIN)/mlxprobe run --format markdown --output reports/claims.md

baselines: .venv/installed
	$(BIN)/mlxprobe matrix $(RELEASES) --device cpu --fresh --records reports/baselines

report: .venv/installed
	$(BIN)/mlxprobe run --format html --output reports/report.html

docs: .venv/installed
	rm -rf build/docs build/site
	mkdir -p build
	cp -R docs/guide build/docs
	$(BIN)/mlxprobe docs build/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo build/site/index.html

picture: .venv/installed
	$(BIN)/python -m benchmarks.capture

.venv/installed: pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 10), "Python 3.10 or later is needed: make PYTHON=python3.12"'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[$(EXTRAS)]'
	touch $@

clean:
	rm -rf .venv
