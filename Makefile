# Each target but `doctor` first makes the virtual environment .venv, if it is missing or not right.
# make doctor  what is wrong with this machine or this checkout, all at once
# make repro   reproduce the study: every number, figure and report
#              (JOBS=2: two networks at a time; or STAGES=train-net: that one and what it needs)
# make plan    how long make repro JOBS=N will take on N cores, and in which order it trains
# make test    run the tests, in less than five minutes on two cores
# make test-long   the rest: whole studies that are killed, shared, merged and extended; CI runs both
# make test-quick  without the slow ones, in a minute: for the loop of editing and trying
# make check   formatting, lint rules, imports and types
# make resolve  after a conflict in a merge or rebase: dvc.lock of both sides, and DVC does the rest
# make experiments  DVC's experiments: what differs, and the validation accuracies
# make report  open report.html: the study on one page
# make plots   write dvc_plots/index.html, DVC's page with every curve and picture, and open it
# make bench   time the training engine against a plain loop (QUICK=1: roughly, in two minutes;
#              GROWTH=1: time and memory against the number of images, views and threads;
#              PROFILE=train-net: where the time goes)
# make search STAGE=train-net TRIALS=20  search hyperparameters on the validation set (of a one-cycle
#              recipe: copy recipes/tuned/params.yaml first; SEARCH_ARGS='--table FILE.csv')
# make pretrain  train the network of mnistpipe predict (12 minutes on one core; SEEDS=3: the best of three)
# make readme  bring README's table and pictures up to date with the last run, and the picture of
#              the architecture with the imports (those of report.html: where Chromium is installed)

PYTHON ?= python3
JOBS ?= 1
# Not by the variables that Python reads; what other variables mean, mnistpipe/files/environment.py decides.
RUN := .venv/bin/python -E -m

.PHONY: repro plan test test-long test-quick check experiments resolve report plots bench search pretrain readme doctor .venv

repro: .venv
	@$(RUN) tools repro --jobs $(JOBS) $(STAGES)

doctor:
	@if .venv/bin/python -c '' 2>/dev/null; then $(RUN) tools.doctor; else $(OUTSIDE) tools.doctor; fi

plan: .venv
	@$(RUN) tools plan

# A process of tests for each core, up to four, which takes a file at a time: the longest first.
PYTEST := $(RUN) pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: .venv
	@$(PYTEST) -m 'not long' $(PYTEST_ARGS)

test-long: .venv
	@$(PYTEST) -m long $(PYTEST_ARGS)

test-quick: .venv
	@$(PYTEST) -m 'not slow and not long' $(PYTEST_ARGS)

check: .venv
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@.venv/bin/python -E .venv/bin/lint-imports
	@$(RUN) mypy

experiments: .venv
	@$(RUN) tools experiments

resolve: .venv
	@$(RUN) tools resolve --jobs $(JOBS)

report: .venv
	@$(RUN) tools show report.html

plots: .venv
	@$(RUN) dvc plots show
	@$(RUN) tools show dvc_plots/index.html

pretrain: .venv
	@$(RUN) tools pretrain $(if $(SEEDS),--seeds $(SEEDS))

bench: .venv
	@$(RUN) tools bench $(if $(QUICK),--quick) $(if $(GROWTH),--growth) $(if $(PROFILE),--profile $(PROFILE))

search: .venv
	@$(RUN) tools search $(STAGE) $(if $(TRIALS),--trials $(TRIALS)) $(SEARCH_ARGS)

readme: .venv
	@$(RUN) tools readme
	@$(RUN) tools screenshots
	@$(RUN) tools architecture

# An old Python can read this much, and no more of the project.
WANTED := Python 3.11 to 3.14 is needed: make PYTHON=python3.12
OUTSIDE := { command -v $(PYTHON) >/dev/null || { echo "ERROR: There is no $(PYTHON) here; $(WANTED)"; exit 1; }; } && \
	$(PYTHON) -c 'import sys; sys.exit("ERROR: $(WANTED)" if sys.version_info < (3, 11) else 0)' && $(PYTHON) -E -m

.venv:
	@$(RUN) tools.setup --check 2>/dev/null || { $(OUTSIDE) tools.setup; }
