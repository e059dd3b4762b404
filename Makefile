# The only door: people, CI and .ci/run all come in here. `make help` lists it.

GO ?= go
COMPOSE ?= docker compose
FUZZTIME ?= 10s
TESTFLAGS ?=
BENCHFLAGS ?=
# Set to 1 to fail where the vulnerability database cannot be reached, instead of saying so.
REQUIRE_VULNDB ?=

MODULE := github.com/neuron7x/mlsdm-integrations
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X $(MODULE)/internal/version.Version=$(VERSION)
# The pattern `work` is every package of every module in go.work; only the go command knows it.
PATTERNS := ./... ./pkg/...

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

##@ Use it

.PHONY: run
run: ## Run the whole stack in one process, with a demo that shows events flowing
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/ ./cmd/mlsdmctl
	@exec bin/mlsdmctl up --demo

# What `mlsdmctl init` is told, such as --tls; the prefix is that of the containers.
INITFLAGS ?=

.PHONY: init
init: ## Make the keys and users of a closed bus in deploy/installation, unless they are there
	@MLSDM_PREFIX="$${MLSDM_PREFIX:-$$(sed -n 's/^MLSDM_PREFIX=//p' .env 2>/dev/null | tail -n 1)}" \
	  $(GO) run ./cmd/mlsdmctl init --dir '$(INSTALLATION)' $(INITFLAGS)

# With certificates, everybody has to know their authority.
INSTALLATION = $(or $(MLSDM_INSTALLATION),deploy/installation)
COMPOSE_FILES = -f docker-compose.yml $(shell [ ! -e '$(INSTALLATION)/nats/ca.pem' ] || echo '-f deploy/tls.compose.yml')
# Set to 1 to have a Vault for development in the stack, which secretd uses (docs/secrets.md).
VAULT ?=

.PHONY: up
up: COMPOSE_FILES += $(if $(VAULT),-f deploy/vault.compose.yml --profile vault)
up: init ## Start the whole stack in containers and wait until it is healthy (VAULT=1: with a Vault)
	VERSION=$(VERSION) $(COMPOSE) $(COMPOSE_FILES) up -d --build --wait

.PHONY: down
down: ## Stop the containers (their data stays: `docker compose down -v` removes it)
	$(COMPOSE) $(COMPOSE_FILES) --profile vault down

.PHONY: ps
ps: ## Show the containers and how they do
	@$(COMPOSE) $(COMPOSE_FILES) ps --all

.PHONY: logs
logs: ## Follow what the containers log (SERVICE=generator: one of them)
	@$(COMPOSE) $(COMPOSE_FILES) logs --follow --tail 100 $(SERVICE)

.PHONY: smoke
smoke: ## Send one of everything through the running stack, and check the answers and the trace
	@$(GO) run ./cmd/mlsdmctl smoke --nkey '$(INSTALLATION)/users/client.nk' \
	  --server "nats://$$($(COMPOSE) $(COMPOSE_FILES) port nats 4222)" --jaeger "http://$$($(COMPOSE) $(COMPOSE_FILES) port jaeger 16686)"

CLUSTER_FILES = $(COMPOSE_FILES) -f deploy/cluster/docker-compose.yml

.PHONY: cluster-up
cluster-up: INITFLAGS += --cluster nats-1,nats-2,nats-3
cluster-up: init ## Start the stack on three NATS servers, with two replicas of each service, and wait until it is healthy
	VERSION=$(VERSION) CI_WEBHOOK_PORT=$(or $(CI_WEBHOOK_PORT),0) $(COMPOSE) $(CLUSTER_FILES) up -d --build --wait

.PHONY: cluster-down
cluster-down: ## Stop it (its data stays: add --volumes to remove it)
	$(COMPOSE) $(CLUSTER_FILES) down

.PHONY: build
build: ## Build every command, static, into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/mlsdmctl ./services/...

##@ Test it

.PHONY: test
test: bin/nats ## Run all tests of both modules, with the race detector where there is a C compiler
	@race=-race; $(HAS_CC) || { race=; \
	  echo '!!! No C compiler that can build cgo: these tests run WITHOUT the race detector.' >&2; \
	  echo '!!! Install gcc (Debian: apt-get install gcc libc6-dev) to have it.' >&2; }; \
	echo "$(GO) test $$race -shuffle=on $(TESTFLAGS) work"; \
	$(GO) test $$race -shuffle=on $(TESTFLAGS) work
	@$(MAKE) test-sdk test-observability test-helm

# The race detector needs cgo: Go has it on, and the compiler finds its headers.
HAS_CC = { [ "$$($(GO) env CGO_ENABLED)" = 1 ] && \
	  printf '\#include <stdlib.h>\n' | $$($(GO) env CC) -x c -fsyntax-only - 2>/dev/null; }

# A module of its own, so that no program has the SDKs. After a change of go.mod: (cd test/sdk && GOWORK=off go mod tidy).
.PHONY: test-sdk
test-sdk: ## Run the adapters of models against the official SDKs (make test does it too): a minute at first
	cd test/sdk && GOWORK=off $(GO) vet ./... && GOWORK=off $(GO) test -shuffle=on $(TESTFLAGS) ./...

# A module of its own, so that no program has Prometheus. After a change of go.mod: (cd test/observability && GOWORK=off go mod tidy).
.PHONY: test-observability
test-observability: ## Hold alert rules and dashboards against a running stack (make test does it too): a minute at first
	cd test/observability && GOWORK=off $(GO) vet ./... && GOWORK=off $(GO) test -shuffle=on $(TESTFLAGS) ./...

# A module of its own, so that no program has Helm. After a change of go.mod: (cd test/helm && GOWORK=off go mod tidy).
.PHONY: test-helm
test-helm: ## Render the Helm chart and hold it against Kubernetes and the code (make test does it too): a minute at first
	cd test/helm && GOWORK=off $(GO) vet ./... && GOWORK=off $(GO) test -shuffle=on $(TESTFLAGS) ./...

.PHONY: test-containers
test-containers: ## Run the tests that need Docker (build tag: containers)
	@dirs=$$(grep -rl '^//go:build containers' --include='*_test.go' . | xargs -n1 dirname | sort -u); \
	[ -n "$$dirs" ] || { echo 'no test has the build tag containers' >&2; exit 1; }; \
	echo "$(GO) test -tags containers -count=1 -timeout 30m" $$dirs; \
	$(GO) test -tags containers -count=1 -timeout 30m -v $(TESTFLAGS) $$dirs

.PHONY: test-faults
test-faults: ## Run the fault tests of webhooks, the generator and CI at full length: tens of minutes
	MLSDM_TEST_FAULTS=full $(GO) test -count=1 -timeout 60m -v $(TESTFLAGS) ./test/webhooks ./test/generator ./test/ciwatch

# The real Vault brings 2.5 GB of modules, which no program has; they take minutes to download and to compile at first. After a
# change of go.mod: (cd test/vaultsrv && GOWORK=off go mod tidy).
.PHONY: test-vault
test-vault: ## Run the tests against the core of the real Vault, a module of its own: minutes at first
	cd test/vaultsrv && GOWORK=off $(GO) vet ./... && GOWORK=off $(GO) test -count=1 -parallel 8 $(TESTFLAGS) ./...

.PHONY: fuzz
fuzz: ## Run every fuzz target of both modules for FUZZTIME (10s) each
	@set -e; \
	found=$$(grep -rE '^func Fuzz[A-Za-z0-9_]*\(' --include='*_test.go' . | \
	  sed -E 's|^(.*)/[^/]*:func (Fuzz[A-Za-z0-9_]*)\(.*|\1 \2|' | sort -u); \
	[ -n "$$found" ] || { echo 'no fuzz target found' >&2; exit 1; }; \
	echo "$$found" | while read -r dir name; do \
	  echo "--- $$dir $$name"; \
	  $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$dir" </dev/null; \
	done

.PHONY: bench
bench: ## Run the benchmarks, each beside its floor
	$(GO) test -run '^$$' -bench . -skip Soak -timeout 30m $(BENCHFLAGS) ./test/bench/...

.PHONY: bench-cluster
bench-cluster: ## Publish the same events on one NATS server and on three, and compare
	$(GO) test -run '^$$' -bench . -benchtime 3s $(BENCHFLAGS) ./test/bench/cluster

SOAK ?= 10m

.PHONY: soak
soak: ## Ask the generator 1,000 times a second for SOAK (10m), and see what becomes of its memory
	MLSDM_SOAK=$(SOAK) $(GO) test -run '^$$' -bench Soak -timeout 24h ./test/bench/...

##@ Change it

.PHONY: check
check: mod-check fmt-check vet lint test generate-check vuln ## Everything that CI asks of a change
	@echo 'check: all good'

.PHONY: check-rest
check-rest: mod-check fmt-check vet lint generate-check vuln ## check without the tests, for who has just run them
	@echo 'check-rest: all good'

.PHONY: mod-check
mod-check: ## Fail where go.mod or go.sum is not tidy, or go.work makes up for it
	GOWORK=off $(GO) mod tidy -diff
	cd pkg && GOWORK=off $(GO) mod tidy -diff

.PHONY: fmt
fmt: bin/golangci-lint ## Format the code
	bin/golangci-lint fmt

.PHONY: fmt-check
fmt-check: bin/golangci-lint ## Fail where the code is not formatted
	@echo 'golangci-lint fmt --diff'; \
	bin/golangci-lint fmt --diff || { echo 'not formatted: run `make fmt`' >&2; exit 1; }

.PHONY: vet
vet: ## go vet, with and without the tag containers
	$(GO) vet work
	$(GO) vet -tags containers work

.PHONY: lint
lint: bin/golangci-lint ## Run the linters, import fences included (.golangci.yml)
	bin/golangci-lint run $(PATTERNS)

.PHONY: generate
generate: ## Write schemas, AsyncAPI, dashboards and the generated tables of the docs anew
	$(GO) run ./cmd/eventsgen
	$(GO) run ./cmd/dashboards
	$(GO) test -count=1 -run '^TestDocument$$' ./test/metrics -update

.PHONY: weights
weights: ## Download and convert the weights of the local embedding model again; they are in the repository
	$(GO) run ./cmd/weights internal/llm/local/uselite

.PHONY: generate-check
generate-check: ## Fail where a generated file is not what `make generate` writes
	$(GO) run ./cmd/eventsgen -check
	$(GO) run ./cmd/dashboards -check

.PHONY: vuln
vuln: bin/govulncheck ## Look for known vulnerabilities that the code can reach
	@echo 'govulncheck $(PATTERNS)'; \
	out=$$(bin/govulncheck $(PATTERNS) 2>&1) && status=0 || status=$$?; \
	printf '%s\n' "$$out"; \
	case "$$status:$$out" in \
	0:*) ;; \
	*'govulncheck: fetching vulnerabilities:'*) \
	  echo '!!! The vulnerability database could not be reached: NOTHING was checked.' >&2; \
	  [ -z "$(REQUIRE_VULNDB)" ] ;; \
	*) exit "$$status" ;; \
	esac

.PHONY: clean
clean: ## Remove what was built (not .mlsdm, where a local stack keeps its data)
	rm -rf bin coverage.out
	$(GO) clean -testcache

##@ Tools

# Each tool is a module of its own, outside go.work, pinned by its go.mod and go.sum.
define tool
bin/$(1): tools/$(2)/go.mod tools/$(2)/go.sum
	cd tools/$(2) && GOWORK=off GOFLAGS='-mod=readonly -buildvcs=false' $$(GO) build -o ../../bin/$(1) tool
endef
$(eval $(call tool,golangci-lint,golangci-lint))
$(eval $(call tool,govulncheck,govulncheck))
$(eval $(call tool,nats,natscli))

.PHONY: tools
tools: bin/golangci-lint bin/govulncheck bin/nats ## Build the pinned tools: golangci-lint, govulncheck, nats

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
