# Everything a contributor does. `make` alone lists it.
#
# A bare machine needs Python 3.11+, make and the package index. The environment is
# made in .venv; stamps in it say what is installed, so that a second call is quick.

VENV   := .venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip --disable-pip-version-check
# The first Python on the path that is new enough; `make PYTHON=...` chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)

# One pin, in pyproject.toml. The plain wheel on Linux brings several GB of CUDA
# packages, so the CPU index is asked first; without it the plain wheel must do.
TORCH       := $(shell sed -n 's/.*"\(torch==[0-9.]*\)".*/\1/p' pyproject.toml | head -n 1)
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

# Two test workers; one thread each, or they fight over the cores.
PYTEST := OMP_NUM_THREADS=1 UNMASK_THREADS=1 NO_ALBUMENTATIONS_UPDATE=1 \
	$(PY) -m pytest -n auto --maxprocesses 2

STUDY        ?= equal-budget
# Slices and points of pictures are on the page; they would only weigh the repository down.
STUDY_TABLES := overall costs robustness adversarial left_out cross

.DEFAULT_GOAL := help
.PHONY: help setup demo format format-check lint type imports test test-slow check docs bench \
	study train clean
.DELETE_ON_ERROR:

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.dev ## Make .venv with everything needed to develop (CPU PyTorch included)

demo: $(VENV)/.demo ## Set up the light core and scan the demo's pictures and films
	$(VENV)/bin/unmask demo -o demo

format: $(VENV)/.dev ## Rewrite the sources in the project's format
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

format-check: $(VENV)/.dev ## Fail if a source is not formatted
	$(PY) -m ruff format --check .

lint: $(VENV)/.dev ## Ruff's rules
	$(PY) -m ruff check .

type: $(VENV)/.dev ## mypy, strict
	$(PY) -m mypy

imports: $(VENV)/.dev ## The arrows between rooms (import-linter)
	$(VENV)/bin/lint-imports

test: $(VENV)/.dev ## Tests, without those marked slow
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/.dev ## Only the tests marked slow
	$(PYTEST) -m slow

check: format-check lint type imports test ## Exactly what CI runs

docs: $(VENV)/.docs ## Build the documentation into site/
	$(PY) -m mkdocs build --strict

bench: $(VENV)/.dev ## Measure accuracy, speed and memory
	$(VENV)/bin/unmask bench

study: $(VENV)/.dev ## Run a study and publish it in docs/studies: make study STUDY=equal-budget
	$(VENV)/bin/unmask bench recipes/studies/$(STUDY).toml
	sed 's/(comparison\.html)/($(STUDY).html)/' runs/$(STUDY)/comparison.md > docs/studies/$(STUDY).md
	cp runs/$(STUDY)/comparison.html docs/studies/$(STUDY).html
	rm -rf docs/studies/$(STUDY)-tables && mkdir docs/studies/$(STUDY)-tables
	for table in $(STUDY_TABLES); do \
		test ! -f runs/$(STUDY)/tables/$$table.csv || \
			cp runs/$(STUDY)/tables/$$table.csv docs/studies/$(STUDY)-tables/; done

train: $(VENV)/.dev ## Train the shipped detector again (hours)
	$(VENV)/bin/unmask train recipes/base.toml

clean: ## Remove what was built or cached; .venv and runs/ stay
	rm -rf build dist site demo .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache \
		.hypothesis .import_linter_cache
	find src tests docs -name __pycache__ -type d -prune -exec rm -rf {} +

# ------------------------------------------------------------------ environment

$(VENV)/.made:
	@test -n "$(PYTHON)" || { \
		echo "Unmask needs Python 3.11 or newer; found: $$(python3 --version 2>&1)." >&2; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Unmask needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
		exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: pyproject.toml | $(VENV)/.made
	$(PIP) install -e '.[demo]'
	@touch $@

$(VENV)/.torch: pyproject.toml | $(VENV)/.made
	$(PIP) install --retries 0 --extra-index-url $(TORCH_INDEX) $(TORCH) \
		|| { echo "The CPU index did not serve; taking the plain $(TORCH)." >&2; \
			$(PIP) install $(TORCH); }
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.torch
	$(PIP) install -e '.[dev]'
	@touch $@ $(VENV)/.demo

$(VENV)/.docs: pyproject.toml | $(VENV)/.made
	$(PIP) install -e '.[docs]'
	@touch $@
