# cdcbot — one word for each job; `make` alone lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
FUZZTIME ?= 10s
LAUNCHES ?= 20

.PHONY: help
help: ## list what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/bot and bin/demo
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/bot ./cmd/demo

.PHONY: demo
demo: ## play an incident in a simulated workspace: prints a URL (needs only Go)
	$(GO) run -gcflags='all=-N -l' -ldflags='-s -w' ./cmd/demo # unoptimised: a first start is mostly compiling

.PHONY: test
test: ## install what is missing (root on Debian) and test everything, on real services
	./lab/test.sh

.PHONY: check
check: fmt-check vet lint-books ## the fast loop: no installed services needed
	$(GO) test -race -shuffle=on ./...

.PHONY: bench
bench: ## print latencies and memory
	./lab/bench.sh

CARDS ?= bin/cards
.PHONY: cards
cards: ## draw every card that the bot knows as a picture into CARDS, with an index.html (needs chromium)
	$(GO) test ./internal/slacksim -run EveryCardIsDrawn -count=1 -args -cards $(abspath $(CARDS))
	@echo open $(CARDS)/index.html

.PHONY: bench-peers
bench-peers: ## compare the whole bot with a bare slack-go and a bare @slack/bolt bot, on one simulated workspace, in turns (needs lab/install.sh)
	$(GO) test ./internal/e2e -run '^$$' -bench Peers -benchtime $(LAUNCHES)x -timeout 20m | grep '^|'

.PHONY: diagnosis-report
diagnosis-report: ## score the diagnosis on real failures: accuracy, confusion, calibration, false alarms
	$(GO) test ./internal/diagnosis -run 'TestCorpus|TestMessages' -count=1 -v -report | grep -v '^\(=== RUN\|--- PASS\|PASS\)'

TORTURE ?= 10000
.PHONY: torture
torture: ## every night: TORTURE randomized runs under faults, kill -9 at every boundary, the whole matrix; prints figures
	CDCBOT_TORTURE=$(TORTURE) $(GO) test ./internal/e2e -run 'Torture|Thousand|Boundary|FaultMatrix' -count=1 -v -timeout 60m | grep -v '^=== '
	$(GO) test ./internal/remediation -run '^TestTorture$$' -count=1 -v -runs $(TORTURE) -parallel 48 -timeout 60m | grep -v '^=== \|--- PASS'

DEPTH ?= 7
.PHONY: model
model: ## visit every state of the approval protocol, DEPTH moves deep; prints how many there are (docs/model.md)
	$(GO) test ./internal/approval -run 'TestEveryState|TestTheExplorerFinds' -count=1 -v -depth $(DEPTH) -timeout 60m | grep -v '^=== '
	$(GO) test ./internal/remediation -run 'TestEveryExecution|TestTheExplorerOfExecutionFinds' -count=1 -v -depth 24 | grep -v '^=== '

.PHONY: fmt
fmt: ## format the code
	gofmt -w $$(git ls-files '*.go')

.PHONY: fmt-check
fmt-check: ## fail when a file is not formatted
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "not formatted (make fmt):"; echo "$$out"; exit 1; }

.PHONY: vet
vet: ## go vet
	$(GO) vet ./...

.PHONY: lint-books
lint-books: ## lint the runbooks that ship
	$(GO) run ./cmd/bot lint --no-targets runbooks/*.md >/dev/null

.PHONY: fuzz
fuzz: ## fuzz every fuzz test for FUZZTIME each
	@for pkg in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	  echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg; done; done

.PHONY: lab
lab: ## install and start the real services on loopback (see lab/README.md)
	./lab/install.sh
	./lab/up.sh

.PHONY: lab-vault
lab-vault: ## build the lab's Vault, once (5 min on 2 cores)
	./lab/vault/build.sh

.PHONY: lab-down
lab-down: ## end the real services; nothing is left behind
	./lab/down.sh

GOOS ?= linux
GOARCH ?= $(shell $(GO) env GOARCH)
ROOTFS ?= dist/$(GOOS)-$(GOARCH)
IMAGE ?= cdcbot:$(VERSION)
DOCKER ?= docker

.PHONY: binary
binary: ## build the image's binary in ROOTFS: the same sources make the same bytes
	CGO_ENABLED=0 GOOS=$(GOOS) GOARCH=$(GOARCH) $(GO) build -buildvcs=false -trimpath -ldflags '$(LDFLAGS)' -o $(ROOTFS)/bot ./cmd/bot

.PHONY: rootfs
rootfs: binary ## lay out the image's root in ROOTFS: static binary, certificates, user, licences, bill of materials
	env -u GOOS -u GOARCH $(GO) run ./deploy/image -root $(ROOTFS) -version $(VERSION) -modules "$$($(GO) env GOMODCACHE)" -goroot "$$($(GO) env GOROOT)"

.PHONY: image
image: ## build the container image IMAGE (for both platforms: docker buildx build --platform linux/amd64,linux/arm64)
	$(DOCKER) build --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) -t $(IMAGE) .

.PHONY: helm-lint
helm-lint: ## lint and render the chart over its matrix of values
	$(GO) test ./deploy -run Chart -count=1

GOVULNCHECK ?= golang.org/x/vuln/cmd/govulncheck@v1.9.0
.PHONY: vuln
vuln: ## look for known vulnerabilities in what is linked (needs Go's vulnerability database: GOVULNDB)
	@$(GO) run $(GOVULNCHECK) ./... || { echo 'make vuln: not clean. The lines above name vulnerabilities, or say that the database (GOVULNDB) could not be read: then nothing is known.' >&2; exit 1; }

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist
