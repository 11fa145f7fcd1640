# Two commands for a stranger: `make demo` and `make test`. Both set up .venv first, once; both say nothing where nothing is to do.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
AZURITE := $(VENV)/azurite/.ready
KUSTO := $(VENV)/kusto/.ready
LAKES ?= .lakes
SPARK4_PYTHON ?= python3.12
SPARK4 ?= .venv-spark4
LATEST ?= .venv-spark-latest
PLATFORMS ?= .platforms
AUDIT ?= .venv-audit
SITE ?= .venv-site
SMOKE := $(addprefix tests/test_,job.py export.py alerts.py pipeline.py fold_episodes.py match_motifs.py score_subgraphs.py graph_on_graphframes.py \
	results.py log_analytics.py)

.DEFAULT_GOAL := help
.PHONY: help demo test test-spark4 test-spark-latest platforms lint docstrings audit docs site dist screenshots bench-quality bench-speed bench-delivery faults replays bench-history bench-learning bench-robust formats-table clean

help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

$(STAMP): setup.py constraints.txt examples/setup_env.sh
	@bash examples/setup_env.sh $(PYTHON) $(VENV)
	@touch $@

# Both stay away where npm cannot be reached: the tests say so. From Azurite 3.37 on Node 22 is needed.
$(AZURITE): examples/setup_npm.sh examples/npm/azurite/package-lock.json | $(STAMP)
	@bash $< $(VENV) azurite

$(KUSTO): examples/setup_npm.sh examples/npm/kusto/package-lock.json | $(STAMP)
	@bash $< $(VENV) kusto

demo: $(STAMP) ## rank the example plant's alerts and show what came out
	@$(BIN)/python examples/demo.py

test: $(STAMP) $(AZURITE) $(KUSTO) ## run the tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile --durations 20

test-spark4: $(SPARK4)/.ready ## run the tests on Spark 4.1, where ANSI mode is on: what Python 3.12 and newer take
	@$(SPARK4)/bin/python -m pytest

test-spark-latest: ## run the tests of the straight line on the newest PySpark that PyPI has
	@test -d $(LATEST) || bash examples/setup_env.sh $(SPARK4_PYTHON) $(LATEST)
	@$(LATEST)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pyspark
	@$(LATEST)/bin/python -m pytest $(SMOKE)

$(SPARK4)/.ready: setup.py constraints.txt examples/setup_env.sh
	@bash examples/setup_env.sh $(SPARK4_PYTHON) $(SPARK4)
	@touch $@

platforms: $(STAMP) ## the job in an environment of each platform; writes the table of docs/platforms.md
	@$(BIN)/python benchmarks/platforms.py --cache $(PLATFORMS) --write

lint: $(STAMP) ## style, types, architecture and docstrings
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy --python-version 3.10 alertgraph_spark jobs # what ships, as the oldest Python reads it
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python docs/check_docstrings.py

docstrings: $(STAMP) ## take mended docstrings out of docs/docstrings.txt, the list of those that are not mended
	@$(BIN)/python docs/check_docstrings.py --shrink

audit: $(STAMP) ## known vulnerabilities and licences of all packages, and a bill of materials of them into dist/; wants the network
	@$(BIN)/python deploy/audit.py --tools $(AUDIT)

docs: $(STAMP) ## make the generated pages and the files in deploy/ anew
	@$(BIN)/python docs/make_docs.py
	@$(BIN)/python deploy/make_deploy.py

site: $(STAMP) ## every page as a site into site/, by MkDocs, links checked; wants the network once
	@$(BIN)/python deploy/make_site.py --tools $(SITE)

dist: $(STAMP) ## build the wheel, the same bytes as a zip, and the list of versions, into dist/
	@$(BIN)/python deploy/make_dist.py

screenshots: $(STAMP) ## pictures of the last demo's report into docs/img, and of real alerts where they lie beside the repository
	@$(BIN)/python benchmarks/screenshots.py

bench-quality: $(STAMP) ## judge the ranking on labelled lakes, beside simple orders and two peers; writes docs/quality.md
	@$(BIN)/python benchmarks/quality --write docs/quality.md

bench-speed: $(STAMP) ## the whole run against a bare Spark scan of the same lake, as a ratio
	@$(BIN)/python benchmarks/speed.py
	@$(BIN)/python benchmarks/episodes.py

bench-delivery: $(STAMP) ## rows a second to the emulator, against azure-monitor-ingestion
	@$(BIN)/python benchmarks/delivery.py

faults: $(STAMP) ## 1,000 faults between a saved run and its tables, and a count of what they did
	@$(BIN)/python tests/faults.py

replays: $(STAMP) ## lakes of four kinds, replayed as they grew: each run with the history equals one without it
	@ALERTGRAPH_REPLAYS=1 $(BIN)/python -m pytest tests/test_history_replay.py

bench-history: $(STAMP) ## an hourly run, a tick and a day's fold with the history, beside what they cost without it
	@$(BIN)/python benchmarks/history.py --write docs/operations.md

bench-learning: $(STAMP) ## what verdicts teach, on networks that are watched for months; a section of docs/quality.md
	@$(BIN)/python benchmarks/learning --write docs/quality.md

bench-robust: $(STAMP) ## attackers who know the job, on generated networks; a section of docs/quality.md
	@$(BIN)/python benchmarks/robust --write docs/quality.md

formats-table: $(STAMP) ## measure the formats on the real samples, where they lie beside the repository
	@$(BIN)/python benchmarks/formats_table.py

clean: ## remove the environment and what the demo left
	rm -rf $(VENV) $(SPARK4) $(LATEST) $(PLATFORMS) $(AUDIT) $(SITE) .demo .lakes build dist site *.egg-info
