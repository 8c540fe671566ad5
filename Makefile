# Two commands do the main job: `make bench METHOD=equate` and `make test`. Both set up `.venv` first.
#
# Settings, each given on the command line (`make bench METHOD=linear SUITE=strogatz JOBS=4`):
PYTHON   ?= python3
# Passed to pip as they are, for instance an index of your choice.
PIP_ARGS ?=
METHOD   ?= equate
PROTOCOL ?= quick
# Empty: the suites of the protocol.
SUITE    ?=
JOBS     ?= 2
OUT      ?= results/$(PROTOCOL)-$(METHOD)
# Training only: a time limit (empty: the method's own) or a number of examples, and RESUME=1 to go on from the
# last checkpoint; START: released weights to begin with.
MINUTES  ?=
EXAMPLES ?=
RESUME   ?=
START    ?=

BIN   := .venv/bin
CLI   := $(BIN)/srbench-ext
STAMP := .venv/.installed
# Sweeps have tables of their own: make sweep, with what lies there, makes them again.
RUNS  := $(filter-out results/sweep-%,$(patsubst %/records,%,$(wildcard results/*/records)))
STUDIES := $(patsubst %/outcomes.csv,%,$(wildcard results/*/outcomes.csv))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup bench tables test check perf storm train in-domain latent ablation sweep

help: ## List the targets (the default)
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo 'Settings: METHOD=$(METHOD) SUITE=$(SUITE) PROTOCOL=$(PROTOCOL) JOBS=$(JOBS) OUT=$(OUT) PIP_ARGS=$(PIP_ARGS)'

setup: $(STAMP) ## Create .venv and install the package, once

$(STAMP): pyproject.toml constraints.txt setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, $(PYTHON) is " + sys.version.split()[0] + ". Run: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $(PIP_ARGS) --constraint constraints.txt --editable '.[dev]'
	@touch $@

bench: $(STAMP) ## Run METHOD on PROTOCOL, print and write the tables
	$(CLI) run --method $(METHOD) $(if $(SUITE),--suite $(SUITE)) --protocol $(PROTOCOL) --jobs $(JOBS) --out $(OUT)
	$(CLI) report $(OUT)

tables: $(STAMP) ## Write all tables and figures again from records: each folder's, the README's, a paper's
	@test -n '$(RUNS)' || echo 'No records in results/. Run: make bench METHOD=$(METHOD)'
	@set -e; for run in $(RUNS); do echo "$$run"; \
	  if grep -q "table:$$(basename $$run) " README.md; then $(CLI) report $$run --into README.md; else $(CLI) report $$run; fi; done
	@test -z '$(RUNS)$(STUDIES)' || $(CLI) tables $(sort $(RUNS) $(STUDIES)) --out results/tables

test: $(STAMP) ## Run the tests
	$(BIN)/python -m pytest -n $(JOBS) $(PYTEST_ARGS)

check: $(STAMP) ## Lint, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

perf: $(STAMP) ## Measure the speed of evaluation and constant fits (into the README), of the runner and the report
	$(BIN)/python -m srbench_ext.expression.perf --into README.md --into docs/decisions/0001-evaluation.md
	$(BIN)/python -m srbench_ext.runner.perf
	$(BIN)/python -m srbench_ext.report.perf

storm: $(STAMP) ## Run 500 runs, half of which fail in every way, then kill the runner 20 times
	$(BIN)/python tests/runner/storm.py --runs 500 --jobs $(JOBS)
	$(BIN)/python tests/runner/storm.py --kills 20 --jobs $(JOBS)

train: OUT = runs/$(METHOD)
train: $(STAMP) ## Train METHOD into runs/METHOD (MINUTES=30 or EXAMPLES=1000000, RESUME=1, START=FILE)
	$(CLI) train $(METHOD) --out $(OUT) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(EXAMPLES),--examples $(EXAMPLES)) $(if $(RESUME),--resume) $(if $(START),--start $(START))

in-domain: OUT = results/in-domain
in-domain: $(STAMP) ## Make E2E's ablation table on 1,000 held-out synthetic problems
	$(CLI) in-domain --jobs $(JOBS) --out $(OUT)

METHODS ?= gensr,snip,e2e,equate
latent: OUT = results/latent
latent: $(STAMP) ## Analyse the latent spaces of METHODS on the same tables: tables and maps
	$(CLI) latent $(METHODS) --out $(OUT)

ablation: OUT = results/ablation-$(METHOD)
ablation: $(STAMP) ## Run the rows of METHOD's ablation at equal seconds or decodes, with paired tests
	$(CLI) ablation $(METHOD) --jobs $(JOBS) --out $(OUT)
	$(CLI) report $(OUT)

PARAMETER ?= seconds
VALUES    ?= 1,2,5,10
sweep: OUT = results/sweep-$(PARAMETER)-$(METHOD)
sweep: $(STAMP) ## Run METHOD at several VALUES of PARAMETER: accuracy against time as table and figure
	$(CLI) sweep $(METHOD) --parameter $(PARAMETER) --values $(VALUES) $(if $(SUITE),--suite $(SUITE)) --protocol $(PROTOCOL) --jobs $(JOBS) --out $(OUT)
