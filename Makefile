# Millrace. A bare `make` prints this menu.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO    ?= go
SEEDS ?= 300
FROM  ?= 1
# Tests of one package that run at once: those with a broker wait most of the time.
PARALLEL ?= 8

# Build tags of tests: synctests (virtual time), planted (bugs that the tests must
# find, and checks of invariants).
TAGS := synctests,planted
# Packages whose tests have a part behind them.
TAGGED = $(sort $(dir $(shell grep -rlE --include='*_test.go' '^//go:build .*(synctests|planted)' cmd processor schemaregistry state windowing)))
# Packages the race detector is run on: the library. Commands are left out.
RACE = ./processor/... ./schemaregistry/... ./state/... ./windowing/...
# Packages with benchmarks.
BENCHES = $(sort $(dir $(shell grep -rl --include='*_test.go' '^func Benchmark' cmd processor schemaregistry state windowing)))

# Packages with fuzz tests.
FUZZES = $(sort $(patsubst %/,%,$(dir $(shell grep -rl --include='*_test.go' '^func Fuzz' cmd processor schemaregistry state windowing))))

LINT_VERSION := v2.15.0
LINT := .bin/golangci-lint-$(LINT_VERSION)
SIM := ./processor/internal/sim/

.PHONY: help build test race lint sim mutants fuzz golden stress api measure test-kafka bench bench-kafka bench-compare soak demo cover ci clean

help: ## print this menu
	@echo "usage: make TARGET [SEEDS=n FROM=s]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' Makefile

build: ## compile everything, without cgo
	CGO_ENABLED=0 $(GO) build ./...

test: ## all tests that need nothing but Go (the simulation with 5 seeds)
	$(GO) test -parallel $(PARALLEL) ./...
	$(if $(TAGGED),SEEDS=5 FROM=$(FROM) $(GO) test -parallel $(PARALLEL) -tags $(TAGS) -skip TestMutants $(addprefix ./,$(TAGGED)))

race: ## the runtime's tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -short -parallel $(PARALLEL) $(RACE)

lint: $(LINT) ## gofmt, go vet and golangci-lint, with every build tag
	@unformatted=$$(gofmt -l cmd processor schemaregistry state windowing); \
	if [ -n "$$unformatted" ]; then echo "gofmt -w these files:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -tags kafka,$(TAGS) ./...
	$(LINT) run ./...

sim: ## simulated clusters with seeded faults: SEEDS of them, beginning with FROM
	@SEEDS=$(SEEDS) FROM=$(FROM) $(GO) test -tags $(TAGS) -count=1 -run TestSim -timeout 60m -v $(SIM) | sed -E '/^(=== | *--- PASS)/d'

mutants: ## plant known bugs and count the seeds until the simulation finds each
	$(GO) test -tags $(TAGS) -count=1 -run TestMutants -timeout 120m -v $(SIM)

fuzz: ## each fuzz test for TIME=30s, of those in PACKAGE= or all; what it finds stays in testdata/fuzz
	@for p in $(if $(PACKAGE),$(PACKAGE),$(FUZZES)); do for f in $$(grep -rhoE --include='*_test.go' '^func Fuzz\w+' $$p | sed 's/func //'); do \
		echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(or $(TIME),30s) ./$$p | tail -1; done; done

golden: ## the cases whose results are those of a real Kafka Streams
	@$(GO) test -count=1 -run Golden -v ./processor/processortest | grep -E '^(---|ok|FAIL|.*cases)'

stress: ## the tests of PACKAGE= again and again until one fails, TIMES=100 at most, RUN= chooses by name
	$(GO) test -count=$(or $(TIMES),100) -failfast -run '$(RUN)' $(or $(PACKAGE),./processor/internal/worker)

api: ## write testdata/api anew: what the public packages export
	$(GO) test ./cmd/internal/listing -run TestAPI -rewrite

test-kafka: ## integration tests on a real Apache Kafka broker (Java 17 and Maven; skipped with a reason without)
	@$(GO) test -tags kafka -count=1 -timeout 30m -v ./cmd/internal/... ./cmd/bench/... ./cmd/millrace | sed -E '/^(=== | *--- PASS)/d'

bench: ## the engine alone with allocation counts, then end to end with an embedded broker, output checked
	$(if $(BENCHES),$(GO) test -run '^$$' -bench . -benchmem $(addprefix ./,$(BENCHES)),@echo "no benchmarks yet")
	$(GO) run ./cmd/bench measure -workload tumble,tumblefinal,map

bench-compare: ## benchmarks of PACKAGE= at OLD= (a commit) and here in turns, COUNT=6 each, compared by benchstat
	@cmd/bench/compare.sh "$${OLD:?say OLD=, the commit to compare with}" "$(or $(COUNT),6)" "$(or $(PACKAGE),./processor/stream)" "$(or $(RUN),.)"

bench-kafka: ## limit loop, Millrace, Kafka Streams and Flink side by side (WORKLOAD= LAYOUT= PEERS= REPS= N= SEED= ALL=1 FRESH=1)
	$(GO) run ./cmd/bench table $(if $(WORKLOAD),-workload $(WORKLOAD)) $(if $(LAYOUT),-layout $(LAYOUT)) $(if $(PEERS),-peers $(PEERS)) \
		$(if $(REPS),-reps $(REPS)) $(if $(N),-n $(N)) $(if $(SEED),-seed $(SEED)) $(if $(ALL),-all) $(if $(FRESH),-fresh)

soak: ## MINUTES=15 at 70 % of RATE= on a real broker, a SIGKILL each minute; memory and files flat, output exact
	$(GO) run ./cmd/bench soak -rate "$${RATE:?say RATE=, the records per second that bench-kafka shows}" $(if $(MINUTES),-minutes $(MINUTES)) $(if $(WORKLOAD),-workload $(WORKLOAD)) \
		$(if $(VALUE_SIZE),-value-size $(VALUE_SIZE))

demo: ## exactly-once windowed counts over a real access log, with an embedded broker
	$(GO) run ./cmd/millrace demo

cover: ## test coverage per function in .cover/
	@mkdir -p .cover
	$(GO) test -coverprofile=.cover/cover.out ./...
	$(GO) tool cover -func=.cover/cover.out | tee .cover/functions.txt | tail -1
	$(GO) tool cover -html=.cover/cover.out -o .cover/cover.html

measure: ## lengths, names and comments in figures: of this module, or of the Go code in TREE=
	@$(GO) run ./cmd/internal/measure $(TREE)

ci: ## exactly what the pipeline runs
	.ci/run

clean: ## remove tools, caches and reports of this checkout
	rm -rf .bin .cache .cover

# The version is part of the file name, so that a new version is a new file.
$(LINT):
	@mkdir -p .bin
	GOBIN=$(CURDIR)/.bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv .bin/golangci-lint $@
