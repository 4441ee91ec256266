# dropoff: from raw events to pages about where journeys break. Each target is a step, safe to
# repeat, and does nothing that is already done.
#
#   make run                 everything, then serves the reports (SERVE=0: stops before serving)
#   make test                everything above, and all tests
#   make test-fast           all tests but those of the pages
#   make test-spark          builds the demo with Spark and with DuckDB, and compares the marts
#   make live                follows the landing zone: who is stuck now, and interventions out
#   make demo-live           the same with people who are played as if it were now (RATE=20 events/s)
#   make bench               measures it beside other engines (SCALE=163: a hundred million events)
#
#   make build FULL=1        everything built anew, not only what changed
#   make daily               for cron: checks, builds, renders, tells what is alarming (docs/schedule.md)
#   make build TARGET=spark  the same with Apache Spark; needs Java 17
#   make settings            checks settings and vars, and builds nothing
#   make metrics             what can be asked by name, and answered without SQL:
#                            QUERY="--metrics conversion_rate --group-by session__platform"
#   make erase WHO=<user>    takes a person out of everything, and proves it
#
#   make docs                the documentation as a site, with a reference of all marts, in site/
#
#   make new-app NAME=shop   a first settings folder for what lies in DROPOFF_EVENTS (OUT=apps/shop)
#
# Another app: DROPOFF_EVENTS, DROPOFF_SEEDS and DROPOFF_WAREHOUSE, DROPOFF_INTERVENTIONS where there
# is a ledger, DROPOFF_IDENTITIES where people have several ids, and VARS for dbt's vars.

SHELL := /bin/sh
.DEFAULT_GOAL := help

SEED ?= 1
SCALE ?= 1
SERVE ?= 1
PORT ?= 3000
RATE ?= 20
VARS ?=
TARGET ?= duckdb

DEMO_EVENTS := landing/events
export DROPOFF_EVENTS ?= $(DEMO_EVENTS)
export DROPOFF_SEEDS ?= seeds
export DROPOFF_WAREHOUSE ?= warehouse.duckdb
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export SEND_ANONYMOUS_USAGE_STATS := no

PYTHON := .venv/bin/python
STEP := python3 steps/step.py
EVENT_FILES := "$(DROPOFF_EVENTS)"
# the demo has a ledger of interventions, another app where it is named
LEDGER_FILES := "$(if $(filter undefined,$(origin DROPOFF_INTERVENTIONS)),$(if $(filter $(DEMO_EVENTS),$(DROPOFF_EVENTS)),landing/interventions),$(DROPOFF_INTERVENTIONS))"
CHECKS := $(patsubst %.duckdb,%,$(DROPOFF_WAREHOUSE)).checks.ndjson

# millions of events, one and ten, unless SCALE is given
BENCH_SCALES := $(if $(filter command environment,$(firstword $(origin SCALE))),$(SCALE),1.63 16.3)

.PHONY: help setup setup-spark setup-browser new-app land check build metrics reports serve live demo-live erase settings daily lint slim docs bench bench-live bench-spark bench-faults audit performance-page test-fast test-spark test run clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile

setup:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "dropoff needs Python 3.11 or newer as python3, which is $$(python3 --version 2>&1): install one and put it first in PATH."; exit 1; }
	@$(STEP) setup --inputs pyproject.toml uv.lock --outputs .venv/bin/dbt -- sh steps/setup_python.sh
	@$(STEP) setup-npm --inputs reports/package.json reports/package-lock.json reports/repair \
	    --outputs reports/node_modules -- sh -c 'cd reports && npm ci --no-audit --no-fund && echo "the packages of the reports are installed"'

setup-spark: setup
	@$(STEP) spark-env --inputs pyproject.toml uv.lock --outputs .venv-spark/bin/dbt -- sh steps/setup_spark.sh

setup-browser:
	@$(STEP) browser --outputs /usr/bin/chromium -- sh steps/setup_browser.sh

new-app: setup
	@test -n "$(NAME)" || { echo "Name the app: make new-app NAME=shop"; exit 1; }
	@$(PYTHON) landing/new_app.py "$(NAME)" --events $(EVENT_FILES) $(if $(OUT),--out "$(OUT)")

land: setup
ifeq ($(DROPOFF_EVENTS),$(DEMO_EVENTS))
	@$(STEP) land --inputs landing/simulate.py --outputs $(DEMO_EVENTS) landing/truth landing/interventions -- \
	    $(PYTHON) landing/simulate.py --seed $(SEED) --scale $(SCALE) --out $(DEMO_EVENTS) --truth landing/truth \
	    --ledger landing/interventions
endif

check: land
	@$(STEP) check --inputs landing/check.py $(DROPOFF_SEEDS) $(EVENT_FILES) $(LEDGER_FILES) --env DROPOFF_EVENTS DROPOFF_INTERVENTIONS --outputs $(CHECKS) -- \
	    $(PYTHON) landing/check.py --out $(CHECKS) --vars '$(VARS)'

# Spark has an environment of its own, and a folder of tables beside the warehouse
BUILDER := $(if $(filter spark,$(TARGET)),.venv-spark/bin/python steps/spark.py,$(PYTHON) steps/build.py)
build: check $(if $(filter spark,$(TARGET)),setup-spark)
	@$(STEP) build --inputs models macros tests/generic tests/macros tests/marts tests/sessions dbt_project.yml profiles.yml steps/build.py steps/spark.py $(DROPOFF_SEEDS) $(EVENT_FILES) $(LEDGER_FILES) "$(DROPOFF_IDENTITIES)" \
	    --env DROPOFF_EVENTS DROPOFF_INTERVENTIONS DROPOFF_IDENTITIES DROPOFF_SALT --outputs $(DROPOFF_WAREHOUSE) -- $(BUILDER) --vars '$(VARS)' $(if $(FULL),--full-refresh)

metrics: build
	@$(PYTHON) steps/metrics.py $(QUERY)

reports: build
	@$(STEP) reports --inputs reports $(DROPOFF_WAREHOUSE) --env DROPOFF_WAREHOUSE --outputs reports/build -- \
	    sh -c 'cd reports && npm run sources && npm run build && echo "the pages are in reports/build"'

serve:
	@$(PYTHON) steps/serve.py --port $(PORT)

run: reports
ifneq ($(SERVE),0)
	@$(MAKE) --no-print-directory serve
endif

live: reports
	@$(PYTHON) live/run.py --port $(PORT) --vars '$(VARS)'

# what is played, and what is done about it, lies apart from the demo's landing zone
PLAYED := landing/played
demo-live: reports
	@rm -rf $(PLAYED)
	@$(PYTHON) live/play.py --out $(PLAYED)/events --rate $(RATE) & player=$$!; trap 'kill $$player 2> /dev/null' EXIT; trap : INT TERM; \
	    DROPOFF_EVENTS=$(PLAYED)/events DROPOFF_INTERVENTIONS=$(PLAYED)/interventions DROPOFF_LIVE=$(PLAYED)/live \
	    $(PYTHON) live/run.py --port $(PORT) --vars '$(VARS)'

erase: setup
	@test -n "$(WHO)" || { echo "Name whom to erase: make erase WHO=<user id>"; exit 1; }
	@$(PYTHON) steps/erase.py "$(WHO)" --vars '$(VARS)' --then '$(MAKE) --no-print-directory reports FULL=1'

# make itself exits with 2 whatever is wrong: where the codes matter, call steps/daily.py
daily: setup
	@$(PYTHON) steps/daily.py --vars '$(VARS)' $(if $(FULL),--full-refresh)

# settings and vars alone: what a build would say of them
settings: setup
	@$(STEP) settings -- $(PYTHON) steps/build.py --vars '$(VARS)' --settings-only

lint: setup
	@$(STEP) lint -- sh -c 'ruff check . && ruff format --check . && yamllint --strict . && DROPOFF_WAREHOUSE=target/lint.duckdb python steps/lint_sql.py models analyses tests'

# what differs from the project that a build was made of, and what hangs on it, built and tested on
# a copy of that build: STATE has its manifest.json and its warehouse.duckdb
slim: land
	@test -f "$(STATE)/manifest.json" && test -f "$(STATE)/warehouse.duckdb" || { echo "make slim STATE=<folder> needs the manifest.json and the warehouse.duckdb of an earlier build there."; exit 1; }
	@mkdir -p target/slim && cp "$(STATE)/warehouse.duckdb" target/slim/
	@DROPOFF_WAREHOUSE=target/slim/warehouse.duckdb $(STEP) slim -- dbt build --select state:modified+ --state "$(STATE)"

# dbt's own site of all models needs no warehouse, and locks none
docs: setup
	@$(STEP) docs --inputs docs analyses models macros seeds steps/docs_site.py mkdocs.yml README.md DECISIONS.md CHANGELOG.md CONTRIBUTING.md dbt_project.yml \
	    --outputs site/index.html site/dbt/index.html -- sh -c 'export DROPOFF_WAREHOUSE=target/docs.duckdb NO_MKDOCS_2_WARNING=1 && dbt -q parse --target-path target/docs && \
	    dbt -q docs generate --static --empty-catalog --no-compile --target-path target/docs && mkdocs build --strict && echo "the documentation is in site/index.html"'

# known weaknesses of what is locked; asks the databases of advisories, so CI does it
audit: setup
	@.venv/bin/uv audit --frozen
	@cd reports && npm audit --omit=dev

bench: setup
	@sh bench/setup.sh
	@$(PYTHON) bench/run.py $(foreach scale,$(BENCH_SCALES),--scale $(scale)) --out bench/results
	@$(PYTHON) bench/daily.py --out bench/results
	@$(MAKE) --no-print-directory performance-page

# of what was measured here
performance-page:
	@cat bench/page.md bench/results/results.md > docs/performance.md
	@printf '\n## One more day\n\n' >> docs/performance.md
	@cat bench/results/daily.md >> docs/performance.md
	@test ! -f bench/results/live.md || { printf '\n## From landed to shown\n\n'; cat bench/results/live.md; } >> docs/performance.md
	@test ! -f bench/results/spark.md || { printf '\n## Spark beside DuckDB\n\n'; cat bench/spark_page.md bench/results/spark.md; } >> docs/performance.md
	@cp bench/results/results.svg docs/performance.svg
	@echo "the page is docs/performance.md"

# the delay from landed to shown, over ten million events; a quarter of an hour
bench-live: setup
	@$(PYTHON) bench/live.py --out bench/results
	@$(MAKE) --no-print-directory performance-page

# the same with Spark, and what a cluster would take; half an hour
bench-spark: setup-spark
	@$(PYTHON) bench/spark.py --out bench/results
	@$(MAKE) --no-print-directory performance-page

# what kills, full disks, vanishing files and the like do to builds; half an hour
bench-faults: setup
	@$(PYTHON) bench/faults.py
	@cat bench/faults_page.md bench/results/faults.md > docs/faults.md
	@echo "the page is docs/faults.md"

# the tests are about the demo, whatever app the environment names
TEST := env -u DROPOFF_EVENTS -u DROPOFF_INTERVENTIONS -u DROPOFF_IDENTITIES -u DROPOFF_SEEDS -u DROPOFF_WAREHOUSE -u DROPOFF_BUILD_FILE $(MAKE) --no-print-directory

test-fast:
	@$(TEST) VARS= SEED=1 SCALE=1 build
	@$(PYTHON) -m pytest -n 2 --dist loadscope -m "not slow" --ignore=tests/browser

# what Spark builds is what DuckDB builds, mart by mart
test-spark: setup-spark
	@.venv-spark/bin/python -m pytest -s tests/spark

# four at a time, since browsers, the live view and disks are mostly waited for
test:
	@$(TEST) VARS= SEED=1 SCALE=1 reports setup-browser
	@$(PYTHON) -m pytest -n 4 --dist loadfile --no-loadscope-reorder

clean:
	rm -rf .steps logs target warehouse.duckdb warehouse.checks.ndjson warehouse.live warehouse.daily warehouse.spark landing/events landing/truth landing/interventions $(PLAYED) reports/build reports/.evidence site
