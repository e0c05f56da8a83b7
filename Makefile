SHELL := bash
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -X main.version=$(VERSION)
# go-nvml's header marks calls deprecated that older drivers still need.
export CGO_CFLAGS := -O2 -g -Wno-deprecated-declarations
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.1.4
GORELEASER := github.com/goreleaser/goreleaser/v2@v2.16.0

.PHONY: help
help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | column -t -s $$'\t'

.PHONY: quickstart
quickstart: docker build images ## measure the reference engine in a container
	bin/llem run --image llem/reference examples/quickstart.yaml

.PHONY: build
build: ## build bin/llem
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/llem ./cmd/llem

.PHONY: docker
docker:
	scripts/docker-up

.PHONY: images
images: docker ## build the image llem/reference
	CGO_ENABLED=0 GOOS=linux go build -trimpath -ldflags '-s -w $(LDFLAGS)' -o images/reference/reference ./images/reference
	docker build --quiet --tag llem/reference images/reference

.PHONY: test
test: ## every test, with the race detector, against a real daemon
	scripts/docker-up --stand-in-gpu
	$(MAKE) images
	@test -z "$$(gofmt -l cmd internal images)" || { echo "gofmt would change:"; gofmt -l cmd internal images; exit 1; }
	go vet ./...
	go test -race -timeout 15m ./...

.PHONY: lint
lint: ## gofmt, vet, staticcheck
	@test -z "$$(gofmt -l cmd internal images)" || { gofmt -l cmd internal images; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...

.PHONY: vuln
vuln: ## known vulnerabilities in what the binary reaches; needs the Go vulnerability database
	go run $(GOVULNCHECK) ./cmd/llem

.PHONY: bench
bench: ## Go benchmarks, in the format that benchstat reads
	go test -run '^$$' -bench . -benchmem ./internal/...

.PHONY: release-check
release-check: ## build a release snapshot in dist/ and check it: glibc, start, checksums, NVML
	VERSION=$(VERSION) go run $(GORELEASER) release --snapshot --clean
	scripts/release-check

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist images/reference/reference
