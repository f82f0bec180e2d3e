PYTHON ?= python3
BIN := .venv/bin
UV := .boot/uv/bin/uv
NPM := PATH="$(CURDIR)/.boot/node:$$PATH" npm --prefix ui
LOCKS := src/liminal/stack/locks
MODEL_LOCK := src/liminal/engine/locks/model
# two stacks of real services; a file's tests stay together, in the order of the folder
SIDE_BY_SIDE = --numprocesses 2 --dist loadfile --no-loadscope-reorder
COMPILE = $(UV) pip compile --quiet --generate-hashes --universal --no-emit-index-url --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help setup up down test test-ui proof parity bench-peers llama-native bench-torch check storm fuzz learn bench format lock jars-lock settings-table clean

help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Fetch and build all that the checkout needs (up, test and check do it by themselves)
	@$(PYTHON) src/liminal/stack/bootstrap.py

up: setup ## Start everything and print one address; Ctrl-C stops it
	@exec $(BIN)/liminal up

down: ## Stop what `make up` started elsewhere
	@$(BIN)/liminal down

test: setup ## Run the tests on real services (Kafka, Postgres, Redis)
	@$(BIN)/pytest -m "not slow and not ui and not proof" $(SIDE_BY_SIDE)

test-ui: setup ## Test the web interface: its units, then a Chromium through it
	$(NPM) test
	@$(BIN)/pytest -m "ui and not proof"

proof: setup ## A Chromium teaches the default model by ten corrections, and asks again (minutes)
	@$(BIN)/pytest -m proof -s

parity: setup ## Recompute the golden values with transformers, PEFT, TRL and llama.cpp; hold the engine against them
	$(BIN)/python tests/parity/live.py

bench-peers: setup ## Measure the default model beside llama.cpp on the same file, in turns
	$(BIN)/python tests/parity/peers/side_by_side.py

llama-native: setup ## Build llama.cpp's server for this processor; make bench-peers takes it where it is faster
	$(BIN)/python tests/parity/peers/native.py

bench-torch: setup ## Measure beside transformers, PEFT and llama.cpp in f32, in turns (builds llama.cpp once)
	$(BIN)/python tests/parity/peers/bench.py

check: setup ## Formatting, lint, strict types, schemas, lengths; of the web interface too
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/liminal log schemas --check
	$(BIN)/python .ci/house.py
	$(NPM) run --silent check

fuzz: setup ## The chat socket driven at random for long: cuts, resumes, noise; every client ends with the log's words
	@$(BIN)/pytest -m slow tests/chat/test_fuzz.py

storm: setup ## The whole storm: 1M events, workers and brokers killed all the while, nothing lost or twice
	@$(BIN)/liminal bench storm

learn: setup ## Learning at length: killed workers, then people with habits who teach the bundled model
	@$(BIN)/pytest -m slow tests/learning tests/engine/training
	@$(BIN)/liminal bench learn
	@$(BIN)/liminal bench people

bench: setup ## Every figure of docs/benchmarks.md that needs no peers (give the machine nothing else to do)
	@for figure in append fold rebuild lag turns decode adapters embed clusters train; do $(BIN)/liminal bench $$figure || exit 1; done

format: setup ## Format, and mend what the linter can
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

lock: setup ## Resolve the Python packages anew within pyproject.toml's ranges
	$(COMPILE) --upgrade pyproject.toml --extra dev -o requirements.lock
	$(COMPILE) --no-header --no-annotate $(LOCKS)/uv.in -o $(LOCKS)/uv.txt
	$(COMPILE) --no-header --no-annotate $(LOCKS)/build.in -o $(LOCKS)/build.txt
	$(COMPILE) --no-header --no-annotate --no-deps $(LOCKS)/redis.in -o $(LOCKS)/redis.txt
	$(COMPILE) --no-header --no-annotate --no-deps $(MODEL_LOCK).in -o $(MODEL_LOCK).txt

jars-lock: setup ## Resolve the Kafka jars anew and rewrite their checksums
	$(BIN)/python -m liminal.stack.jars lock

clean: ## Remove what was fetched and built; the data in .liminal stays
	rm -rf .venv .boot .cache ui/dist ui/node_modules .pytest_cache .ruff_cache .hypothesis

settings-table: setup ## Write the table of docs/configuration.md from the settings
	@$(BIN)/python -m liminal.stack.configuration
