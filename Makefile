# `make help` lists the targets. Everything runs in .venv, which is made and filled when it is missing or stale.

PYTHON ?= python3
PORT ?= 8000
TWIN_PORT ?= 9000
BIN := .venv/bin
# Three on two cores, as tests wait for servers and browsers too; the slow ones, which acceptance/ holds, begin first.
PARALLEL := -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: help run test prove bench sure lint fix schema lock clean graphiql node-ready

help:             ## This list
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

run: .venv/run-ready graphiql   ## Start the demo: a school, the gateway and GraphiQL (PORT, TWIN_PORT)
	$(BIN)/roster demo --port $(PORT) --twin-port $(TWIN_PORT)

test: .venv/dev-ready node-ready   ## The whole suite, with samples of the long proofs and the servers it needs
	$(BIN)/python scripts/with_services.py $(REQUIRE) -- $(BIN)/pytest $(PARALLEL) $(ARGS)

prove: .venv/dev-ready node-ready   ## The suite with the long proofs run whole
	$(BIN)/python scripts/with_services.py $(REQUIRE) -- $(BIN)/pytest $(PARALLEL) --prove $(ARGS)

bench: .venv/dev-ready   ## The benchmarks of docs/benchmarks.md
	$(BIN)/python scripts/with_services.py --durable -- $(BIN)/python -m bench $(ARGS)

sure: lint test   ## What CI runs

lint: .venv/dev-ready   ## Format check, lint, import contracts, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

fix: .venv/dev-ready   ## Format, and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schema: .venv/dev-ready   ## Print the graph's schema to schema.graphql
	$(BIN)/roster schema > schema.graphql

lock: .venv/dev-ready   ## Resolve the dependencies anew into the two lock files
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra redis --extra build --universal --generate-hashes --no-annotate --no-header --quiet -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --generate-hashes --no-annotate --no-header --quiet -o requirements-dev.lock

clean:            ## Remove what the targets above made
	rm -rf .venv .run .mypy_cache .ruff_cache .pytest_cache .hypothesis node_modules scripts/graphiql/node_modules tests/acceptance/node/node_modules bench/peers/node_modules gateway/static/graphiql

.venv/run-ready: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

.venv/dev-ready: requirements-dev.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

# What Node.js makes is optional: the page says so where it is missing, and the tests name what they left out.
graphiql:
	@if command -v npm >/dev/null; \
	then $(MAKE) --no-print-directory gateway/static/graphiql/graphiql.js || echo "*** GraphiQL was not built: see above"; \
	else echo "*** No Node.js, so no GraphiQL: Debian has it as nodejs and npm"; fi

gateway/static/graphiql/graphiql.js: $(wildcard scripts/graphiql/*.* scripts/graphiql/examples/*) scripts/graphiql/build
	scripts/graphiql/build

node-ready: graphiql
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory tests/acceptance/node/node_modules; fi

tests/acceptance/node/node_modules: tests/acceptance/node/package-lock.json
	cd tests/acceptance/node && npm ci --ignore-scripts --no-progress --loglevel=error
	touch $@
