PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# most tests wait for Kafka, so two at a time take little more than half the time
JOBS ?= 2
CHECKED := streams state schemas tests
PLAIN := $(CHECKED) deploy README.md Dockerfile Makefile docker-compose.yml hatch_build.py pyproject.toml
# decisions are history, as the changelog is; released schemas are bytes
NOT_PLAIN := *.json,*.csv,deploy/constraints.txt,deploy/plain-words.txt,deploy/decisions,schemas/released
# the test of the words quotes them
NOT_PLAIN := $(NOT_PLAIN),tests/unit/test_plain_words.py

.DEFAULT_GOAL := help
.PHONY: help setup demo test simulate adversary lint cost bench bench-yardstick acceptance chaos clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: $(READY) ## install the environment in .venv, and the servers that demo and tests need
	@$(BIN)/python -m streams.demo.servers.provision

$(READY): pyproject.toml deploy/constraints.txt
	@echo "== environment: $(VENV) by $(PYTHON)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "touchstream needs Python 3.11 or newer: make setup PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' -c deploy/constraints.txt
	@touch $@

demo: setup ## replay real data through a real Kafka, with a report; KEEP=1 leaves everything running
	@$(BIN)/touchstream demo $(if $(KEEP),--keep)

test: setup ## run unit, contract, integration and quick acceptance tests, JOBS=2 at a time
	@echo "== tests"
	@$(BIN)/pytest -m "not slow and not heavy" --numprocesses $(JOBS) --dist loadfile

acceptance: setup ## run all acceptance tests, also slow ones
	@echo "== acceptance tests"
	@$(BIN)/pytest tests/acceptance

chaos: setup ## kill workers, break state and fill disks on a real Kafka: KILLS=n SEED=s; the same command resumes
	@$(BIN)/python -m tests.chaos --kills $(or $(KILLS),50) $(if $(SEED),--seed $(SEED))

simulate: setup ## run SEEDS cases from SEED on: engine and fold on a model broker, with crashes at every step
	@$(BIN)/python -m tests.simulation $(or $(SEEDS),5000) $(or $(SEED),$(shell od -An -N3 -tu4 /dev/urandom))

adversary: setup ## send RECORDS records at the limits of what is accepted, SEED=s; KAFKA=1 plays the worst through a real Kafka
	@$(BIN)/python -m tests.adversary $(if $(KAFKA),--kafka,--records $(or $(RECORDS),20000)) --seed $(or $(SEED),1)

mutants: setup ## put mistakes into the product and the simulation, and look for a seed that shows each; the same command resumes
	@$(BIN)/python -m tests.mutants --seeds $(or $(SEEDS),2000)

lint: $(READY) ## check style, types, layers, spelling and words
	@echo "== ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --quiet --diff .
	@echo "== mypy"
	@$(BIN)/mypy --strict $(CHECKED)
	@echo "== layers"
	@$(BIN)/lint-imports
	@echo "== spelling"
	@$(BIN)/codespell
	@echo "== plain words"
	@$(BIN)/codespell --dictionary deploy/plain-words.txt --skip "$(NOT_PLAIN)" $(PLAIN)

cost: setup ## instructions for each touchpoint against the figures kept; ALL=1 all of them, RENEW="why" keeps new ones
	@echo "== cost"
	@$(BIN)/python -m tests.bench.cost $(if $(ALL),--all) $(if $(RENEW),--renew "$$RENEW")

bench: setup ## measure events per second per core, as ratios to the yardstick's floor, and latency
	@$(BIN)/python -m tests.bench
	@$(BIN)/python -m tests.bench.latency
	@$(BIN)/python -m tests.bench.serving

bench-yardstick: setup ## run the job of TOUCHPOINT_BENCH on the engine, beside installed peers (PEER_QUIX, PEER_JAVA)
	@$(BIN)/python -m tests.bench.yardstick

clean: ## remove what the commands above made here; downloaded servers stay in the cache
	rm -rf build .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find streams state schemas tests -name __pycache__ -prune -exec rm -rf {} +
