# `make run` and `make test` need Python 3.10 or later and nothing else. On Linux: BACKEND=cpu (default) or cuda.
PYTHON ?= python3
BACKEND ?= cpu
BIN := .venv/bin

ifeq ($(shell uname -s),Darwin)
EXTRAS := test
else
EXTRAS := test,$(BACKEND)
endif

# of the tests that the portable platform passes, the most telling
TELLING := platform or (hostile and (lock or busy or zombie or grandchild or moves)) or (takes_its_children and KILL)

RELEASES := 0.26.5 0.28.0 0.29.4 0.30.6 0.31.2 0.32.0 0.32.4

.PHONY: run test corpus test-portable lint format claims baselines report picture cluster docs clean

run: .venv/installed
	$(BIN)/mlxprobe run

test: .venv/installed lint
	$(BIN)/pytest tests -n logical --maxprocesses 8
	MLXPROBE_PLATFORM=portable $(BIN)/pytest tests/system tests/supervisor -n logical --maxprocesses 8 -k "$(TELLING)"
	$(BIN)/pytest scenarios -n logical --maxprocesses 8

# All programs of the corpus: for releases and nights
corpus: .venv/installed
	MLXPROBE_CORPUS=all $(BIN)/pytest tests/agent/test_untouched_corpus.py tests/diagnosis/test_findings.py -n logical

# The portable interfaces, on this system: docs/guide/tested.md has their limits.
test-portable: .venv/installed
	MLXPROBE_PLATFORM=portable $(BIN)/pytest tests/system tests/supervisor tests/diagnosis/test_findings.py -n logical --maxprocesses 8
	MLXPROBE_PLATFORM=portable $(BIN)/pytest scenarios -n logical --maxprocesses 8 -k "not one_has_four"

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

cluster: .venv/installed
	@trap 'kill 0' INT TERM EXIT; \
	$(BIN)/dask scheduler --host 127.0.0.1 --port 8786 --no-dashboard & \
	for name in one two three; do \
		$(BIN)/dask worker tcp://127.0.0.1:8786 --name $$name --resources CPU=1 --nthreads 1 --no-dashboard & \
	done; \
	wait

picture: .venv/installed
	$(BIN)/python -m benchmarks.capture

.venv/installed: pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 10), "Python 3.10 or later is needed: make PYTHON=python3.12"'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[$(EXTRAS)]'
	$(BIN)/python -m compileall -q mlxprobe
	touch $@

clean:
	rm -rf .venv
