# Each target first makes the virtual environment .venv, if it is missing or out of date.
# make repro   reproduce the study: every number, figure and report
#              (JOBS=2: two networks at a time; or STAGES=train-net: that one and what it needs)
# make plan    how long make repro JOBS=N will take on N cores, and in which order it trains
# make test    run all tests, in less than five minutes on two cores
# make test-quick  without the slow ones, in a minute: for the loop of editing and trying
# make check   formatting, lint rules, imports and types
# make plots   write dvc_plots/index.html with every curve and picture
# make bench   time the training engine against a plain loop (QUICK=1: roughly, in two minutes;
#              GROWTH=1: time and memory against the number of images, views and threads;
#              PROFILE=train-net: where the time goes)
# make search STAGE=train-net TRIALS=20  search hyperparameters on the validation set (of a one-cycle
#              recipe: copy recipes/tuned/params.yaml first; SEARCH_ARGS='--table FILE.csv')
# make readme  bring README's table and pictures up to date with the last run, and the picture of
#              the architecture with the imports

PYTHON ?= python3
JOBS ?= 1
BIN := .venv/bin
# DVC runs its stages with the `python` that it finds first.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Neither a user's packages nor another environment may show through.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.PHONY: repro plan test test-quick check plots bench search readme

repro: .venv/installed
	@$(BIN)/python -m tools repro --jobs $(JOBS) $(STAGES)

plan: .venv/installed
	@$(BIN)/python -m tools plan

# A process of tests for each core, up to four, which takes a file at a time: the longest first.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: .venv/installed
	@$(PYTEST) $(PYTEST_ARGS)

test-quick: .venv/installed
	@$(PYTEST) -m 'not slow' $(PYTEST_ARGS)

check: .venv/installed
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy

plots: .venv/installed
	@$(BIN)/dvc plots show

bench: .venv/installed
	@$(BIN)/python -m tools bench $(if $(QUICK),--quick) $(if $(GROWTH),--growth) $(if $(PROFILE),--profile $(PROFILE))

search: .venv/installed
	@$(BIN)/python -m tools search $(STAGE) $(if $(TRIALS),--trials $(TRIALS)) $(SEARCH_ARGS)

readme: .venv/installed
	@$(BIN)/python -m tools readme
	@$(BIN)/python -m tools architecture

.venv/installed: constraints.txt pyproject.toml tools/plots_page.py
	@$(PYTHON) -c 'import sys; sys.exit("ERROR: Python 3.11 or newer is needed: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv || { echo "ERROR: no virtual environment could be made; on Debian, install python3-venv."; exit 1; }
	@echo "Installing the pinned packages into .venv (about 6 GB, some minutes) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]' \
		|| { echo "ERROR: the packages could not be installed; the lines above say why."; exit 1; }
	@$(BIN)/python -m tools plots_page
	@touch $@
