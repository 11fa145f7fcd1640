# Two commands for a stranger: `make demo` and `make test`. Both set up .venv first, once; both say nothing where nothing is to do.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
AZURITE := $(VENV)/azurite/.ready
LAKES ?= .lakes

.DEFAULT_GOAL := help
.PHONY: help demo test lint docs screenshots bench-quality bench-speed bench-delivery faults formats-table clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(STAMP): setup.py constraints.txt examples/setup_env.sh
	@bash examples/setup_env.sh $(PYTHON) $(VENV)
	@touch $@

$(AZURITE): examples/setup_azurite.sh | $(STAMP) # stays away where npm cannot be reached: the tests say so
	@bash examples/setup_azurite.sh $(VENV)

demo: $(STAMP) ## rank the example plant's alerts and show what came out
	@$(BIN)/python examples/demo.py

test: $(STAMP) $(AZURITE) ## run the tests
	@$(BIN)/python -m pytest

lint: $(STAMP) ## style, types and architecture
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

docs: $(STAMP) ## make the generated pages and the files in deploy/ anew
	@$(BIN)/python docs/make_docs.py
	@$(BIN)/python deploy/make_deploy.py

screenshots: $(STAMP) ## pictures of the last demo's report into docs/img, and of real alerts where they lie beside the repository
	@$(BIN)/python benchmarks/screenshots.py

bench-quality: $(STAMP) ## judge the ranking on labelled lakes, beside simple orders and two peers; writes docs/quality.md
	@$(BIN)/python benchmarks/quality --write docs/quality.md

bench-speed: $(STAMP) ## the whole run against a bare Spark scan of the same lake, as a ratio
	@$(BIN)/python benchmarks/speed.py

bench-delivery: $(STAMP) ## rows a second to the emulator, against azure-monitor-ingestion
	@$(BIN)/python benchmarks/delivery.py

faults: $(STAMP) ## 1,000 faults between a saved run and its tables, and a count of what they did
	@$(BIN)/python tests/faults.py

formats-table: $(STAMP) ## measure the formats on the real samples, where they lie beside the repository
	@$(BIN)/python benchmarks/formats_table.py

clean: ## remove the environment and what the demo left
	rm -rf $(VENV) .demo .lakes build dist *.egg-info
