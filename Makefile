# Anlan 安澜. `make help` says what there is.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test lint bench faults measure measure-visit measure-shelters measure-training measure-roster measure-exam measure-certificates measure-page measure-site messages demo-reset clean setup setup-dev

ANLAN := .venv/bin/python -m portal.cli
ifdef PORT
export PORT
endif

# The first of these that runs, is new enough and can make an environment. PYTHON=… names another.
PYTHONS := $(PYTHON) python3.13 python3.12 python3.11 python3 python3.14
define SETUP
@for python in $(PYTHONS); do \
  if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
    exec $$python -B tools/setup.py $(1); fi; done; \
for python in $(PYTHONS); do \
  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
    echo "$$python has no venv or no ensurepip. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; fi; done; \
echo "Python 3.11 or newer is needed and none was found. On Debian and Ubuntu: apt-get install python3 python3-venv" >&2; \
echo "Where it is installed under another name: make PYTHON=/path/to/python3" >&2; exit 1
endef

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup ## Start the demonstration on port 8000 (PORT=9000 for another)
	@ANLAN_DEMO=$${ANLAN_DEMO-1} exec $(ANLAN) run

test: setup-dev ## Check everything: lint, types, translations, and the whole test suite (WORKERS=4 at once)
	@.venv/bin/ruff check
	@.venv/bin/mypy
	@$(ANLAN) messages compile
	@$(ANLAN) messages check
	@.venv/bin/python -m pytest -q -n $${WORKERS:-$$(( $$(getconf _NPROCESSORS_ONLN) + 1 ))} --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: setup-dev ## Lint, types and translations only
	@.venv/bin/ruff check
	@.venv/bin/mypy
	@$(ANLAN) messages check

faults: setup-dev ## Kill and starve dispatch at 200 moments and more, then see what held (twenty minutes; SEED=7)
	@SEED=$${SEED:-1} .venv/bin/python tools/faults.py $(FAULTS)

measure: setup-dev ## Measure how fast a red warning reaches everybody (about three minutes)
	@.venv/bin/python tools/measure.py

bench: setup-dev ## Measure dispatch of a million texts, each figure beside a bare reference (about ten minutes)
	@.venv/bin/python -m tools.bench $(BENCH)

measure-visit: setup-dev ## Measure when a first visitor on a slow 3G phone sees the words of a warning, beside a bare page
	@.venv/bin/python tools/measure_first_visit.py

measure-shelters: setup-dev ## Measure the field, imports of shelters, and the paper, each beside its reference
	@.venv/bin/python tools/measure_field.py
	@.venv/bin/python tools/measure_shelters.py
	@.venv/bin/python tools/measure_paper.py

measure-exam: setup-dev ## Measure an exam that 500 sit at once, on both databases (about ten minutes)
	@.venv/bin/python tools/measure_exam.py

measure-certificates: setup-dev ## Measure 1,000 certificates as PDF beside bare pages, and signing and verifying them
	@.venv/bin/python tools/measure_certificates.py

measure-training: setup-dev ## Measure the desk's pages of training with 160,000 learners and five million answers (ten minutes)
	@.venv/bin/python tools/measure_training.py

measure-page: setup-dev ## Measure the page of a warning beside nginx with the same bytes (needs nginx and wrk)
	@.venv/bin/python tools/measure_page.py

measure-site: setup-dev ## Measure how fast 1,000 past warnings become pages, beside their templates alone
	@.venv/bin/python tools/measure_site.py

measure-roster: setup-dev ## Measure lists of 100,000 and a million subscribers beside bare tables (five minutes)
	@.venv/bin/python tools/measure_roster.py

messages: setup ## Bring the translation catalogues in step with the code
	@$(ANLAN) messages update
	@$(ANLAN) messages compile

demo-reset: ## Remove the demonstration's data (instance/); the next start makes it anew
	$(call SETUP,demo-reset)

clean: ## Remove everything that was built; the data in instance/ stays
	@rm -rf .venv node_modules portal/web/static/vendor .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
	@find portal tests tools migrations -name __pycache__ -prune -exec rm -rf {} +
	@find portal -name '*.mo' -delete

setup: ## Only make ready: environment and front-end files
	$(call SETUP,run)

setup-dev:
	$(call SETUP,test)
