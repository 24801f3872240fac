# What can be done here. `make` alone lists it: each target's line after `##`.

SHELL := /bin/bash
SWIFT ?= swift
FILTER ?=
ARGS ?=
SEEDS ?= 1000
ROUNDS ?= 20
VENV := .build/venv
FUZZED = $(if $(ASAN),-c debug --sanitize=address --build-path .build-asan,-c release)
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help demo run test check lint format simulate bench docs clean setup release venv \
	test-fuzz test-pyarrow bench-plasma bench-fragmentation bench-spilling test-spilling test-durability
.DEFAULT_GOAL := help

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-19s %s\n", $$1, $$2 }' Makefile

demo: release ## the story on real processes: batches against LRU; under 10 minutes
	.build/release/gcs demo

run: release ## server, store and node manager on loopback until Ctrl-C
	@Scripts/run.sh

test: setup venv ## all tests; FILTER=<name> for some: a suite or function, or a pytest name
	@SWIFT="$(SWIFT)" VENV="$(VENV)" Scripts/test.sh "$(FILTER)"

test-pyarrow: release ## pyarrow 11's own tests of Plasma, against Arrow's store and against ours
	@Scripts/venv.sh .build/venv-pyarrow Tests/Integration/requirements-pyarrow.txt
	@.build/venv-pyarrow/bin/python Tests/Integration/pyarrow_suite.py .build/release/plasma-store

check: lint test ## what has to pass before a commit: lint and test

lint: setup ## the formatter's rules and the tidy tests
	$(SWIFT) format lint --strict --recursive --parallel Sources Tests Package.swift
	@for script in Scripts/*.sh docker/*.sh .ci/run; do bash -n "$$script" || exit 1; done
	@SWIFT="$(SWIFT)" Scripts/swift-test.sh TidyTests

format: ## rewrite Swift sources as the formatter wants them
	$(SWIFT) format format --in-place --recursive --parallel Sources Tests Package.swift

bench: release ## speed and memory beside redis-server; ARGS="throughput --quick" for less
	$(SWIFT) build -c release --package-path Benchmarks
	GCS_BIN="$$PWD/.build/release" Benchmarks/.build/release/bench $(ARGS)

bench-plasma: release venv ## object stores, ours and Arrow's in turns, a verdict per line; ARGS=
	$(VENV)/bin/python Benchmarks/plasma/compare.py .build/release/plasma-store $(ARGS)

bench-fragmentation: release venv ## random sizes in a store 90 % full; SECONDS=600 SEED=<number>
	$(SWIFT)c -O Sources/PlasmaStore/BlockAllocator.swift Sources/PlasmaStore/Pool.swift \
		Sources/PlasmaStore/Chunks.swift \
		Benchmarks/plasma/fragmentation/main.swift -o .build/fragmentation
	.build/fragmentation $(or $(SECONDS),600) $(or $(SEED),1) $(ARGS)
	$(VENV)/bin/python Benchmarks/plasma/fragmentation/store.py .build/release/plasma-store \
		--seconds $(or $(SECONDS),600) $(if $(SEED),--seed $(SEED))

bench-spilling: release venv ## spilling beside dd on the same disk; ARGS="--directory DIR --store MIB"
	GCS_BIN="$$PWD/.build/release" "$(VENV)/bin/python" Benchmarks/plasma/spilling.py $(ARGS)

test-durability: release venv ## kills while clients write, each appendfsync; ROUNDS=100 SEED=<number>
	GCS_BIN="$$PWD/.build/release" DURABILITY_ROUNDS=$(ROUNDS) DURABILITY_SEED=$(or $(SEED),0) \
		"$(VENV)/bin/python" -m pytest -p no:cacheprovider -q -s -c Tests/Integration/pytest.ini \
		--rootdir . Tests/Integration/test_durability.py

test-spilling: release venv ## 20 rounds of kills of node manager and store; ROUNDS=<count>, SPILL_SEED=<seed>
	GCS_BIN="$$PWD/.build/release" SPILL_ROUNDS=$(ROUNDS) "$(VENV)/bin/python" -m pytest \
		-p no:cacheprovider -q -s -c Tests/Integration/pytest.ini --rootdir . \
		Tests/Integration/test_spilling.py -k kills

simulate: setup ## SEEDS=<count> [FROM=<seed>] random lives of the whole system; SEED=<number> one, line by line
	@$(SWIFT) build -c release --product gcs
	@.build/release/gcs simulate $(if $(SEED),$(SEED),--seeds $(SEEDS) $(if $(FROM),--from $(FROM))) $(ARGS)

test-fuzz: setup venv ## hostile clients against the object store; SECONDS=300 SEED=<number> ASAN=1
	@$(SWIFT) build $(FUZZED) --product plasma-store
	GCS_BIN="$$($(SWIFT) build $(FUZZED) --show-bin-path)" $(VENV)/bin/python \
		Tests/Integration/plasma_fuzz.py --seconds $(or $(SECONDS),300) \
		$(if $(SEED),--seed $(SEED))

docs: setup ## write what is generated from code: conf/*.conf, Documentation/*.md
	@UPDATE_GENERATED=1 SWIFT="$(SWIFT)" Scripts/swift-test.sh GeneratedFilesTests

clean: ## remove everything that was built or downloaded
	rm -rf .build Benchmarks/.build

# Steps of the targets above.

setup:
	@Scripts/setup.sh

venv: setup
	@Scripts/venv.sh "$(VENV)" Tests/Integration/requirements.txt

release: setup
	$(SWIFT) build -c release
