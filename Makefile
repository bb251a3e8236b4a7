# Every target sets up what it needs; `make help` lists them.
# PYTHON=/path/to/python3 chooses the interpreter of the environment.

SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.NOTPARALLEL:

VENV := $(CURDIR)/.venv
PY := $(VENV)/bin/python3
export PYTHON
export CAISAR_EXT ?= $(CURDIR)/_build/default/caisar_ext/bin/main.exe
export ALCOTEST_COMPACT := 1

# One thread a process: the work is spread over processes, and spinning threads starve them.
export OMP_NUM_THREADS := 1
export OMP_WAIT_POLICY := PASSIVE

PYTHON_STAMP := $(VENV)/.stamp
PYTHON_PINS := requirements-torch.lock requirements.lock pyproject.toml scripts/setup_python.sh
PYTEST := $(PY) -m pytest -q
OCAML_FILES = $(shell git ls-files -co --exclude-standard -- '*.ml' '*.mli')

step = @printf '\n== %s\n' '$(1)'

## make setup      install what is missing, build everything
.PHONY: setup
setup: build

.PHONY: system
system:
	@scripts/setup_system.sh

$(PYTHON_STAMP): $(PYTHON_PINS) | system
	@scripts/setup_python.sh $(VENV)
	@touch $@

.PHONY: build
build: system $(PYTHON_STAMP)
	@dune build @install

## make demo       verify a small traffic-sign classifier, in about two minutes
.PHONY: demo
demo: build
	@examples/traffic_signs/run

## make man        manual pages and shell completion, and how to use them from here
.PHONY: man
man: build
	@printf '%s\n' "man -M '$(CURDIR)/_build/install/default/man' caisar-ext" \
	  "source '$(CURDIR)/_build/install/default/share/bash-completion/completions/caisar-ext'"

## make picture    draw a report of the demo as docs/demo.svg
.PHONY: picture
picture: build
	@$(PY) tools/terminal_svg.py docs/demo.svg --title 'caisar-ext verify signs.mlw' -- \
	  $(CAISAR_EXT) verify examples/traffic_signs/signs.mlw -g robust -g same_family -g same_meaning

## make test       all checks and tests but the slow ones; those that need absent data are skipped and counted
.PHONY: test
test: check-python check-ocaml test-python
	@printf '\nmake test: all checks passed\n'

.PHONY: check-python
check-python: $(PYTHON_STAMP)
	$(call step,ruff: format and lint)
	@$(PY) -m ruff format --check --quiet . || { echo '`make fmt` formats them'; exit 1; }
	@$(PY) -m ruff check --quiet .
	$(call step,mypy --strict)
	@$(PY) -m mypy --no-error-summary pyprover

.PHONY: check-ocaml
check-ocaml: build
	$(call step,dune: build and tests of the OCaml side)
	@dune build @all
	@dune runtest
	$(call step,ocp-indent)
	@scripts/indent_ocaml.sh --check $(OCAML_FILES)

.PHONY: test-python
test-python: build
	$(call step,pytest)
	@$(PYTEST)

## make test-data  the tests that need external data (CAISAR_EXT_DATA); absent data is a failure
.PHONY: test-data
test-data: build
	@$(PYTEST) -m data --require-data

## make test-slow  the slow tests
.PHONY: test-slow
test-slow: build
	@$(PYTEST) -m slow

## make bench      the side-by-side measurements
.PHONY: bench
bench: build
	@bench/run

## make fmt        format Python and OCaml in place
.PHONY: fmt
fmt: system $(PYTHON_STAMP)
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .
	@scripts/indent_ocaml.sh --write $(OCAML_FILES)

## make clean      remove everything that was built, the Python environment included
.PHONY: clean
clean:
	@rm -rf _build .venv *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

## make help       this list
.PHONY: help
help:
	@sed -n 's/^## /  /p' $(MAKEFILE_LIST)
