# Every target does its own set-up, in .venv. `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo test check docs fix bench clean

help:
	@echo "make demo    compile the example house and print its prompts' table"
	@echo "make test    all tests"
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

demo: .venv/user.stamp
	$(BIN)/promptforge check
	$(BIN)/promptforge build

test: .venv/dev.stamp
	$(BIN)/python -m pytest -q -n auto

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

clean:
	rm -rf .venv build .promptforge .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
