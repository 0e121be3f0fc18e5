# The workshop. Every target says what it does after ##; `make` lists them.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
KAFKA ?=
VENV := .venv
BIN := $(VENV)/bin
UV_VENV := .venv-uv
# uv is taken from the package index where this machine has none: into an environment of its own, which works where the
# system's Python is externally managed (PEP 668).
UV = $$(uv --version >/dev/null 2>&1 && echo uv || echo $(UV_VENV)/bin/uv)
export UV_PYTHON_DOWNLOADS := never
ALONE := tests/integration tests/acceptance tests/simulation tests/chaos

.PHONY: help
help: ## show this list
	@echo "service-flow-conductor: make TARGET"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  \1\t\2/' | expand -t 14

.PHONY: install
install: $(VENV)/.installed ## make .venv with what SFC needs to run
	@echo "$$($(BIN)/sfc --version) is installed in $(VENV): put $(BIN) on your PATH"

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V). PYTHON=... names another" >&2; exit 1; }
	@uv --version >/dev/null 2>&1 || test -x $(UV_VENV)/bin/uv || { echo "bringing uv"; $(PYTHON) -m venv $(UV_VENV) && $(UV_VENV)/bin/python -m pip install --quiet uv; }
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@

.PHONY: demo
demo: $(VENV)/.installed ## run the example orders, on the embedded log or on KAFKA=host:port, with ELASTICSEARCH=url if given; KEEP=1 keeps its flows
	$(BIN)/sfc demo $(if $(KAFKA),--kafka $(KAFKA)) $(if $(ELASTICSEARCH),--elasticsearch $(ELASTICSEARCH)) $(if $(KEEP),--keep)

.PHONY: test
test: $(VENV)/.installed-dev ## lint, then run all tests, real Kafka among them
	@$(MAKE) --no-print-directory lint
	@# What keeps no clock: files side by side, each process with services of its own. Then, one after the other, what lives by deadlines and
	@# kills processes. Both are seen, whatever fails.
	failed=0; \
	$(BIN)/pytest -n $(or $(JOBS),2) --dist loadfile $(addprefix --ignore=,$(ALONE)) || failed=1; \
	$(BIN)/pytest $(wildcard $(ALONE)) || failed=1; \
	exit $$failed

.PHONY: lint
lint: $(VENV)/.installed-dev ## ruff, mypy --strict and the import rule
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict
	$(BIN)/lint-imports

.PHONY: conformance
conformance: $(VENV)/.installed-dev ## judge recorded executions and definitions: CASES=folder, or SFC_ASL_CASES
	@$(BIN)/python -m tests.conformance $(if $(CASES),--cases $(CASES)) $(if $(FAILURES),--failures $(FAILURES))

.PHONY: chaos
chaos: $(VENV)/.installed-dev ## kill brokers and processes for MINUTES=10 while FLOWS=100000 run, and judge what is left; SEED=n, KEEP=1
	@$(BIN)/python -m tests.chaos --minutes $(or $(MINUTES),10) --flows $(or $(FLOWS),100000) $(if $(SEED),--seed $(SEED)) $(if $(KEEP),--keep)

.PHONY: simulate
simulate: $(VENV)/.installed-dev ## run the engine in a simulated world of faults: SEEDS=1000 FIRST_SEED=1; the result goes to .bench/simulation.json
	$(BIN)/python -m sfc.testing.simulation --seeds $(or $(SEEDS),1000) --first $(or $(FIRST_SEED),1) --processes $(or $(PROCESSES),2) --result .bench/simulation.json

.PHONY: bench
bench: $(VENV)/.installed-dev ## measure SFC against the floor on a broker of its own
	$(BIN)/python benchmarks/bench.py $(if $(KAFKA),--kafka $(KAFKA))

.PHONY: bench-scale
bench-scale: $(VENV)/.installed-dev ## CPU time with 2, 4 and 8 shards, one and two engines, one and three brokers
	$(BIN)/python benchmarks/scale.py

.PHONY: bench-memory
bench-memory: $(VENV)/.installed-dev ## memory, rate and latency over FLOWS flows (a million)
	$(BIN)/python benchmarks/memory.py $(if $(FLOWS),--flows $(FLOWS)) $(if $(KAFKA),--kafka $(KAFKA))

.PHONY: bench-restore
bench-restore: $(VENV)/.installed-dev ## how long a killed engine with FLOWS open flows (100,000) takes to come back, on KAFKA=host:port
	$(BIN)/python benchmarks/restore.py --kafka $(KAFKA) $(if $(FLOWS),--flows $(FLOWS))

.PHONY: bench-peers
bench-peers: $(VENV)/.installed-dev ## measure Zeebe, LittleHorse, Restate, Conductor, DBOS and Temporal in the same way: PEERS=a,b; needs root
	$(BIN)/python benchmarks/peers/run.py $(if $(PEERS),--peers $(PEERS))

.PHONY: bench-core
bench-core: $(VENV)/.installed-dev ## count what the pure core executes per command; writes benchmarks/core.json
	$(BIN)/python benchmarks/core.py

.PHONY: docs
docs: $(VENV)/.installed-dev ## write docs/reference/cli.md from the commands' help
	@COLUMNS=110 $(BIN)/python docs/write_cli_reference.py

.PHONY: lock
lock: pyproject.toml ## resolve the locks anew (needs the network)
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.lock
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock

.PHONY: clean
clean: ## remove environments, caches and local data
	rm -rf $(VENV) $(UV_VENV) .sfc .bench .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
