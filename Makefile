SHELL := bash
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -X main.version=$(VERSION)
# go-nvml's header marks calls deprecated that older drivers still need.
export CGO_CFLAGS := -O2 -g -Wno-deprecated-declarations
# Tools are run by version and stay out of go.mod.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
GORELEASER := github.com/goreleaser/goreleaser/v2@v2.16.0

.PHONY: help
help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | column -t -s $$'\t'

.PHONY: quickstart
quickstart: build reference ## measure the reference engine in a container
	bin/llem run --image llem/reference examples/quickstart.yaml

.PHONY: build
build: ## build bin/llem
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/llem ./cmd/llem

.PHONY: docker
docker:
	scripts/docker-up

.PHONY: reference
reference: docker ## build the image llem/reference
	CGO_ENABLED=0 GOOS=linux go build -trimpath -ldflags '-s -w $(LDFLAGS)' -o images/reference/reference ./images/reference
	docker build --quiet --tag llem/reference images/reference

.PHONY: images
images: docker ## build every engine's image of images/, or IMAGES="llamacpp transformers"
	scripts/images $(IMAGES)

.PHONY: test-images
test-images: docker ## the tests of the server over transformers, in its image
	scripts/images transformers
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && chmod 755 "$$dir" && \
	go run ./images/tinymodel --hf "$$dir/tiny" && go run ./images/tinymodel --eos --hf "$$dir/eos" && \
	docker run --rm --volume "$$dir:/models:ro" --env TINY=/models/tiny --env TINY_EOS=/models/eos \
		--volume "$$PWD/images/transformers:/src:ro" --workdir /src --entrypoint python3 llem/transformers -m unittest

.PHONY: test
test: ## every test, with the race detector, against a real daemon
	@echo '== a Docker daemon'
	@scripts/docker-up --stand-in-gpu
	@scripts/ssh-keygen
	@echo '== the image llem/reference'
	@$(MAKE) --no-print-directory reference
	@echo '== Zeus and CodeCarbon'
	@scripts/instruments >/dev/null
	@echo '== gofmt'
	@$(MAKE) --no-print-directory gofmt
	@echo '== go vet'
	@go vet ./...
	@echo '== go test -race'
	@LLEM_TEST_INSTRUMENTS=$$(scripts/instruments) go test -race -timeout 40m $(TESTFLAGS) $$(go list ./... | grep -v '/cmd/llem$$')
	@# The end-to-end tests measure: nothing else runs beside them. They wait most of their
	@# time, so that more of them run at once than there are cores.
	@LLEM_TEST_INSTRUMENTS=$$(scripts/instruments) go test -race -timeout 40m -parallel 4 $(TESTFLAGS) ./cmd/llem

.PHONY: check
check: gofmt ## gofmt, vet, staticcheck, and the unit tests that need no daemon
	go vet ./...
	go run $(STATICCHECK) ./...
	@# -short plays fewer cases of the simulations, of every kind. No daemon is there for tests to find.
	CI= DOCKER_HOST=unix:///nonexistent go test -short ./...

# Engines of make e2e: llamacpp, transformers, vllm.
E2E ?= llamacpp transformers
.PHONY: e2e
e2e: ## real engines on the CPU, through the whole protocol, side by side; or E2E="llamacpp transformers vllm"
	@scripts/docker-up --stand-in-gpu
	scripts/images $(subst vllm,vllm-cpu,$(E2E))
	LLEM_E2E_ENGINES='$(E2E)' go test -count 1 -timeout 60m -tags e2e -run TestRealEngines -v ./cmd/llem

.PHONY: foreign
foreign: ## llem run --base-url on servers with OpenAI's API that are not of this project, from PyPI and npm
	@scripts/docker-up --stand-in-gpu
	LLEM_TEST_FOREIGN=$$(scripts/foreign-servers) go test -count 1 -timeout 20m -tags foreign -run TestForeignServers -v ./cmd/llem

.PHONY: gofmt
gofmt:
	@files=$$(gofmt -l bench cmd internal images) && { [ -z "$$files" ] || { printf 'gofmt -w would change:\n%s\n' "$$files"; exit 1; }; }

.PHONY: lint
lint: gofmt ## gofmt, vet, staticcheck; shellcheck where it is installed
	go vet ./...
	go vet -tags e2e,foreign ./cmd/llem
	go run $(STATICCHECK) ./...
	@if command -v shellcheck >/dev/null; then shellcheck scripts/* .ci/run bench/peers/venvs; else echo 'no shellcheck: scripts were not checked (sudo apt-get install shellcheck)'; fi

.PHONY: golangci
golangci: ## more than lint finds, and slower to build: golangci-lint by .golangci.yml
	go run $(GOLANGCI) run ./...

.PHONY: vuln
vuln: ## known vulnerabilities in what the binary reaches; needs the Go vulnerability database
	@scripts/vuln $(GOVULNCHECK)

.PHONY: bench
bench: ## Go benchmarks, in the format that benchstat reads; how true the client's stamps are
	go test -run '^$$' -bench . -benchmem ./internal/...
	go run ./bench/truth

.PHONY: bench-memory
bench-memory: build ## the memory of a load of 1,000,000 requests of 8 tokens, against a server that answers at once; or N=200000 TOKENS=256
	go run ./bench/memory -llem bin/llem -n $(or $(N),1000000) -tokens $(or $(TOKENS),8)

.PHONY: bench-growth
bench-growth: docker ## what a result costs show, compare, verify and export, for 100 to 10,000 of them
	go test -run '^$$' -bench Growth -benchtime 1x ./cmd/llem

.PHONY: bench-peers
bench-peers: build ## llem beside guidellm, aiperf, inference-perf and vllm bench serve: what a token costs each
	go run ./bench/peers -venvs "$$(bench/peers/venvs)"

# What make accuracy is given: ACCURACY="-only 'shows late.*constant' -host quiet -parallel 8".
.PHONY: accuracy
accuracy: N ?= 60
accuracy: build ## intervals against the truth on sensors that behave otherwise, N windows a condition; hours for N=60
	go run ./bench/accuracy -llem bin/llem -n $(N) -raw bin/accuracy.jsonl -page docs/accuracy-sensors.md $(ACCURACY)

# Runs and studies that make kills ends, and what it is given beside that: KILLS="-seed 7 -case 12".
.PHONY: kills
kills: N ?= 300
kills: build ## kill runs and studies N times, at random moments of every phase, and check what is left; N=2000
	@scripts/docker-up --stand-in-gpu
	@$(MAKE) --no-print-directory reference
	go run ./bench/kills -llem bin/llem -n $(N) $(KILLS)

.PHONY: damage
damage: N ?= 20000
damage: docker ## damage N files of each kind in results and studies, and read them; hours for N=20000
	LLEM_DAMAGE=$(N) go test -count 1 -timeout 24h -run TestDamagedParquet -v ./internal/result
	LLEM_DAMAGE=$(N) go test -count 1 -timeout 24h -run TestDamagedFiles -v ./cmd/llem

.PHONY: release-check
release-check: ## build a release snapshot in dist/ and check it: glibc, start, archive, completions, NVML
	@scripts/release-check --needs
	VERSION=$(VERSION) go run $(GORELEASER) release --snapshot --clean
	@scripts/release-check

.PHONY: release
release: ## build the tag that is checked out and upload it as a draft; needs GITHUB_TOKEN
	@scripts/release-check --needs
	go run $(GORELEASER) release --clean

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist images/reference/reference images/ollama/ollama
