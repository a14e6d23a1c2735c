# Every target does its own set-up, in .venv. `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo test test-heavy test-servers forgetting check docs fix bench clean

help:
	@echo "make demo    compile the example house, look for answers in its prompts, make and audit its training data"
	@echo "make forgetting    train a tiny model on itself, and measure what it forgets (half an hour)"
	@echo "make test    all tests but those below"
	@echo "make test-heavy    against a real model server, real trainers, a real browser, promptfoo and Inspect, and the longest kill tests (minutes)"
	@echo "make test-servers  against llama.cpp and others, which are built first (half an hour)"
	@echo "make check   ruff, mypy, import-linter, generated docs up to date"
	@echo "make docs    write the generated docs and schemas anew"
	@echo "make fix     format the code"
	@echo "make bench   speed, side by side with a hand-written script"
	@echo "make clean   delete what was built, .venv included"

.venv/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; name one: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/user.stamp: .venv/python.stamp pyproject.toml
	$(PIP) install -e .
	@touch $@

.venv/dev.stamp: .venv/python.stamp pyproject.toml
	$(PIP) install -e '.[dev]'
	@touch .venv/user.stamp $@

.venv-heavy/python.stamp: tests/heavy/requirements.txt
	$(PYTHON) -m venv .venv-heavy
	.venv-heavy/bin/python -m pip --disable-pip-version-check --quiet install -r tests/heavy/requirements.txt
	@touch $@

.venv-trainers/python.stamp: tests/heavy/requirements-trainers.txt tests/heavy/requirements-readers.txt
	$(PYTHON) -m venv .venv-trainers
	.venv-trainers/bin/python -m pip --disable-pip-version-check --quiet install -r tests/heavy/requirements-trainers.txt
	.venv-trainers/bin/python -m pip --disable-pip-version-check --quiet install --no-deps \
	  -r tests/heavy/requirements-readers.txt
	@touch $@

.venv-peers/python.stamp: tests/heavy/requirements-peers.txt tests/heavy/package.json
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip --disable-pip-version-check --quiet install -r tests/heavy/requirements-peers.txt
	cp tests/heavy/package.json .venv-peers/
	PATH="$(CURDIR)/.venv-peers/bin:$$PATH" .venv-peers/bin/npm --prefix .venv-peers install --no-audit --no-fund \
	  --ignore-scripts --loglevel error
	@touch $@

demo: .venv/user.stamp
	$(BIN)/promptforge check
	$(BIN)/promptforge build
	$(BIN)/promptforge bench --model reader
	$(BIN)/promptforge report
	$(BIN)/promptforge dataset build cilghal

forgetting: .venv/dev.stamp .venv-heavy/python.stamp .venv-trainers/python.stamp
	@command -v c++ >/dev/null || { echo "mlx compiles its kernels: a C++ compiler is needed (g++ or clang)"; exit 1; }
	$(BIN)/python examples/forgetting/run.py --mlx .venv-heavy --trl .venv-trainers --page docs/forgetting.md

test: .venv/dev.stamp
	$(BIN)/python -m pytest -q -n auto --dist worksteal

test-heavy: .venv/dev.stamp .venv-heavy/python.stamp .venv-trainers/python.stamp .venv-peers/python.stamp
	PROMPTFORGE_HEAVY_PYTHON="$(CURDIR)/.venv-heavy/bin/python" \
	PROMPTFORGE_TRAINERS_PYTHON="$(CURDIR)/.venv-trainers/bin/python" \
	PROMPTFORGE_PEERS="$(CURDIR)/.venv-peers" \
	  tools/heavy.sh $(BIN)/python -m pytest -q -n 2 --dist loadfile -m heavy tests/heavy tests/promote tests/nightly

test-servers: .venv/dev.stamp
	tools/servers.sh $(BIN)/python -m pytest -q -m servers tests/servers

check: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/generate.py --check

docs: .venv/dev.stamp
	$(BIN)/python tools/generate.py

fix: .venv/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/dev.stamp
	$(BIN)/python benchmarks/compile.py
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/transport.py
	$(BIN)/python benchmarks/writing.py

clean:
	rm -rf .venv .venv-heavy .venv-trainers .venv-peers build examples/forgetting/build .promptforge .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
