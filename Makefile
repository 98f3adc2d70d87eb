# The one list of developer commands. Everything runs from .venv, which the first target makes.
export UV_PYTHON_DOWNLOADS := never
export UV_SYSTEM_CERTS := 1
# Where Python is told to keep no bytecode, each of the hundred processes that tests start compiles all it imports.
export PYTHONDONTWRITEBYTECODE :=
SHELL := /bin/bash
PYTHON_FOUND := $(shell for p in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)
UV := $(shell command -v uv || echo .tools/bin/uv)
RUN := .venv/bin/
PYTEST := pytest -q -n auto --maxprocesses 8 --dist worksteal
# Tests of what is written for PostgreSQL alone. Measuring the rest there once more costs minutes and shows nothing new.
POSTGRES_CODE := tests/db tests/outbox tests/ledger tests/test_idempotency.py tests/test_leases.py tests/cli/test_backing_up.py tests/cli/test_recipes.py

.PHONY: help demo test soak check fix schema cards bench bench-long chaos mutants conformance lock clean

help:  ## Say what there is
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 14

demo: .venv/ready  ## Replay real baskets, issue passes, serve (ARGS="--once --json" for one report)
	@$(RUN)loyalty-graph demo $(ARGS)

test: .venv/ready  ## Every test on SQLite and PostgreSQL, coverage combined
	@$(RUN)coverage erase
	LOYALTY_TEST_DATABASE=sqlite $(RUN)coverage run -m $(PYTEST) -m "not soak" $(ARGS)
	LOYALTY_TEST_DATABASE=postgres $(RUN)coverage run -m $(PYTEST) -m "not soak" --with-database $(POSTGRES_CODE)
	LOYALTY_TEST_DATABASE=postgres $(RUN)$(PYTEST) -m "not soak" --with-database $(addprefix --ignore=,$(POSTGRES_CODE)) $(ARGS)
	@$(RUN)coverage combine --quiet && $(RUN)python tools/check_coverage.py

soak: .venv/ready  ## Random histories and documents by the hundred, on SQLite; some minutes
	LOYALTY_TEST_DATABASE=sqlite $(RUN)$(PYTEST) --timeout 1800 -m soak $(ARGS)

check: .venv/ready  ## Format, lint, types, import contracts, house rules, schema, dead code, dependencies, spelling
	$(RUN)ruff format --check .
	$(RUN)ruff check .
	$(RUN)mypy
	$(RUN)lint-imports --no-cache
	$(RUN)python -m pytest -q -p no:randomly tests/test_house_rules.py
	@$(RUN)python tools/check_dead_code.py
	$(RUN)deptry src
	$(RUN)codespell
	@$(RUN)python tools/check_schema.py
	@$(RUN)python tools/error_table.py --check
	@$(RUN)python tools/metrics_table.py --check
	@$(RUN)python tools/program_reference.py --check
	@$(RUN)python tools/ledger_reference.py --check
	@$(RUN)python tools/draw_cards.py --check
	@$(RUN)python tools/lint_schema.py
	@$(RUN)python tools/schema_changes.py

fix: .venv/ready  ## Format and mend what can be mended
	$(RUN)ruff format .
	$(RUN)ruff check --fix .

schema: .venv/ready  ## Write schema.graphql and the tables of docs/ from the code
	$(RUN)loyalty-graph schema print > schema.graphql.new && mv schema.graphql.new schema.graphql
	$(RUN)loyalty-graph schema permissions > docs/permissions.md.new && mv docs/permissions.md.new docs/permissions.md
	$(RUN)python tools/error_table.py
	$(RUN)python tools/metrics_table.py
	$(RUN)python tools/program_reference.py
	$(RUN)python tools/ledger_reference.py

cards: .venv/ready  ## Draw docs/cards.svg, the README's picture of the card templates
	$(RUN)python tools/draw_cards.py

bench: .venv/ready  ## Measure (ARGS="--suite NAME --json"), a few minutes
	@$(RUN)python -m bench $(ARGS)

bench-long: .venv/ready  ## Measure what takes minutes: the replay of all baskets
	@$(RUN)python -m bench --long $(ARGS)

chaos: .venv/ready  ## Kill, cut and fill up what runs while tills trade: 10 minutes (ARGS="--short --json")
	@$(RUN)python -m chaos $(ARGS)

mutants: .venv/ready  ## Change the rules' code, ask whether tests notice (ARGS="earning.totals"; long)
	@$(RUN)python tools/mutants.py $(ARGS)

conformance: .venv/ready .tools/conformance/ready  ## Audit GraphQL over HTTP, and listen live (needs node and npm)
	@$(RUN)python tools/conformance/run.py .tools/conformance/audit.mjs .tools/conformance/live.mjs

.tools/conformance/ready: $(addprefix tools/conformance/, package.json audit.mjs live.mjs)
	@mkdir -p $(@D) && cp $^ $(@D) && npm install --prefix $(@D) --silent --no-package-lock --no-audit --no-fund
	@touch $@

lock: .tools/bin/uv  ## Pin every requirement again, with hashes
	$(UV) pip compile -q --universal --generate-hashes --no-header --group dev pyproject.toml -o requirements/dev.txt
	$(UV) pip compile -q --universal --generate-hashes --no-header pyproject.toml -c requirements/dev.txt -o requirements/runtime.txt
	$(UV) pip compile -q --universal --generate-hashes --no-header requirements/build.in -o requirements/build.txt

clean:  ## Remove what the commands made
	rm -rf .venv .tools .loyalty .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* mutants

.tools/bin/uv:
	@test -n "$(PYTHON_FOUND)" || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3"; exit 1; }
	@command -v uv >/dev/null || { $(PYTHON_FOUND) -m venv .tools 2>/dev/null || \
		{ echo "python3-venv is missing: install it (for example: apt install python3-venv)"; exit 1; }; \
		.tools/bin/pip install -q --disable-pip-version-check uv; }

.venv/ready: requirements/dev.txt requirements/build.txt pyproject.toml | .tools/bin/uv
	@echo "Setting up .venv (once)" >&2
	@$(UV) venv -q --clear --python $(PYTHON_FOUND) .venv
	@VIRTUAL_ENV=.venv $(UV) pip sync -q --require-hashes --build-constraints requirements/build.txt requirements/dev.txt
	@VIRTUAL_ENV=.venv $(UV) pip install -q --no-deps --no-build-isolation -e .
	@touch $@
