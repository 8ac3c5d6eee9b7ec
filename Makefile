# mica: build, test, show, install. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

SWIFT ?= swift
PREFIX ?= /usr/local
DESTDIR ?=
SBINDIR ?= /sbin
BINARIES := .build/release
BUILD := $(SWIFT) build -c release
TESTS := SWIFT="$(SWIFT)" .ci/tests

# mount(8) looks for a helper by the type's name; `fuse.mica` and `fuse3.mica` are types too.
HELPER_LINKS := mount.fuse.mica mount.fuse3.mica
# micad.service is for install-micad.
UNITS := $(filter-out %/micad.service,$(wildcard mount-helpers/systemd/*))
PAGES := $(wildcard docs/man/*.[1-8])

# Where each shell looks for completions.
SHARE = $(DESTDIR)$(PREFIX)/share
COMPLETIONS = $(SHARE)/bash-completion/completions/mica $(SHARE)/zsh/site-functions/_mica $(SHARE)/fish/vendor_completions.d/mica.fish

# Packages that the build links (all of them statically), and that the tests, the demo and the benchmarks call.
BUILD_PACKAGES := pkg-config libfuse3-dev liburing-dev libsqlite3-dev zlib1g-dev libdeflate-dev libzstd-dev libssl-dev libseccomp-dev libcurl4-openssl-dev
TEST_PACKAGES := fuse3 busybox-static xz-utils bzip2 attr acl libcap2-bin e2fsprogs xfsprogs btrfs-progs rsync util-linux zstd python3 \
	fuse-overlayfs umoci skopeo podman buildah mmdebstrap shellcheck mandoc runc uidmap gcc git docker-registry openssl containerd

SCRIPTS := .ci/run demo/run mount-helpers/mount.mica mount-helpers/kubernetes/install Tests/engines/scenario

.PHONY: help setup build test test-debug micad test-micad generate install-micad demo bench bench-check fmt check install uninstall clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | expand -t 12

setup: ## install what is missing (Debian packages; needs root only for that)
	@command -v $(SWIFT) >/dev/null || { echo "Swift 6.2 or newer is needed: https://www.swift.org/install" >&2; exit 1; }
	@missing=; for package in $(BUILD_PACKAGES) $(TEST_PACKAGES); do \
		state=$$(dpkg-query -W -f='$${db:Status-Status}' "$$package" 2>/dev/null || true); \
		[ "$$state" = installed ] || missing="$$missing $$package"; \
	done; \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" != 0 ]; then echo "missing packages; as root: apt-get install$$missing" >&2; exit 1; fi; \
	export DEBIAN_FRONTEND=noninteractive; \
	set -x; apt-get update -q </dev/null; apt-get install -q -y --no-install-recommends $$missing </dev/null

build: setup ## release binaries: .build/release/mica and .build/release/micafs
	$(BUILD) --product mica
	$(BUILD) --product micafs
	$(BUILD) --product mica-enter
	$(BUILD) --product mica-registry
	@echo "What the linker warns of is explained in CONTRIBUTING.md: nothing that mica calls."

test: setup ## build once, in release, and run all tests on those binaries
	$(BUILD) --build-tests
	$(TESTS) -c release

# Finds overlapping accesses, which release builds do not check in the modules that serve requests, and failed assertions.
CHECKED_TESTS := ^(LinuxTests|LayersTests|UnionTests|FUSETests|MicafsTests|ConformanceTests|ModelTests)\.

test-debug: setup ## the tests of what serves requests, on debug builds
	$(SWIFT) build --build-tests
	MICA_BINARIES="$$PWD/.build/debug" $(TESTS) --filter '$(CHECKED_TESTS)'

# micad speaks gRPC: what that takes is fetched and built by these targets only.
WITH_MICAD := MICA_WITH_MICAD=1

micad: setup ## containerd's snapshotter, in release: .build/release/micad (ten minutes, once)
	$(WITH_MICAD) $(BUILD) --product micafs
	$(WITH_MICAD) $(BUILD) --product micad

test-micad: setup ## micad in debug (three minutes, once), and its tests with a real containerd
	$(SWIFT) build --build-tests
	$(WITH_MICAD) $(SWIFT) build --product micad
	$(WITH_MICAD) $(SWIFT) build --product MicadClient
	MICA_BINARIES="$$PWD/.build/debug" $(WITH_MICAD) $(TESTS) --filter '^(ContainerdTests|MicadTests)\.'

# Needs protobuf-compiler, and builds swift-protobuf's and gRPC's generators.
PROTOS := Sources/ContainerdAPI/protos
GENERATED := Sources/ContainerdAPI/Generated
CLIENT := Tests/MicadClient
GENERATING := --plugin=.build/debug/protoc-gen-swift --plugin=.build/debug/protoc-gen-grpc-swift-2
GRPC_OPTIONS := Visibility=Package,UseAccessLevelOnImports=true

generate: ## gRPC code from the .proto files (needs protoc: apt-get install protobuf-compiler)
	@command -v protoc >/dev/null || { echo "protoc is missing: apt-get install protobuf-compiler" >&2; exit 1; }
	$(WITH_MICAD) $(SWIFT) build --product protoc-gen-swift
	$(WITH_MICAD) $(SWIFT) build --product protoc-gen-grpc-swift-2
	rm -f $(GENERATED)/*.swift
	protoc -I $(PROTOS) $(GENERATING) --swift_out=$(GENERATED) --swift_opt=$(GRPC_OPTIONS) $(PROTOS)/*.proto
	protoc -I $(PROTOS) $(GENERATING) --grpc-swift-2_out=$(GENERATED) --grpc-swift-2_opt=$(GRPC_OPTIONS) \
		$(PROTOS)/snapshots.proto $(PROTOS)/diff.proto
	protoc -I $(PROTOS) $(GENERATING) --grpc-swift-2_out=$(GENERATED) --grpc-swift-2_opt=$(GRPC_OPTIONS),Server=false \
		$(PROTOS)/content.proto $(PROTOS)/leases.proto
	rm -f $(CLIENT)/Generated/*.swift
	protoc -I $(CLIENT)/protos $(GENERATING) --swift_out=$(CLIENT)/Generated --swift_opt=UseAccessLevelOnImports=true \
		--grpc-swift-2_out=$(CLIENT)/Generated --grpc-swift-2_opt=UseAccessLevelOnImports=true,Server=false \
		$(CLIENT)/protos/cri.proto

install-micad: micad ## beside mica, with its unit
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install -s -m 755 $(BINARIES)/micad "$(DESTDIR)$(PREFIX)/bin/"
	install -D -m 644 mount-helpers/systemd/micad.service "$(DESTDIR)$(PREFIX)/lib/systemd/system/micad.service"

demo: build ## show the main job on a small image made on the spot
	demo/run $(BINARIES)

# A generated tree is quick to make on every machine. bench/README.md says how to measure a real one.
BENCH := bench/run --mica $(BINARIES)/mica --ext4 24

bench: build ## compare with native ext4, kernel overlayfs and fuse-overlayfs (see bench/README.md)
	$(BENCH)

bench-check: build ## the same, and fail if a ratio is worse than the accepted one
	$(BENCH) --out bench/results/check
	bench/check bench/results/check/suite.json --baseline bench/baselines/generated.json

fmt: ## format the Swift sources
	$(SWIFT) format format -i -p -r Sources Tests Package.swift

check: setup ## format, scripts, the module table, nothing in the repository that must not be
	$(SWIFT) format lint --strict -p -r Sources Tests Package.swift
	shellcheck $(SCRIPTS)
	mandoc -T lint -W warning $(PAGES)
	python3 .ci/check-tree
	python3 -m unittest discover -q -s bench/tests -t bench

install: build ## into DESTDIR/PREFIX, with man pages and completions; mount.mica where mount(8) looks for it
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(SBINDIR)"
	install -s -m 755 $(BINARIES)/mica $(BINARIES)/micafs $(BINARIES)/mica-enter $(BINARIES)/mica-registry "$(DESTDIR)$(PREFIX)/bin/"
	install -m 755 mount-helpers/mount.mica "$(DESTDIR)$(SBINDIR)/mount.mica"
	for link in $(HELPER_LINKS); do ln -sf mount.mica "$(DESTDIR)$(SBINDIR)/$$link"; done
	install -D -m 644 -t "$(SHARE)/doc/mica/systemd" $(UNITS)
	install -D -m 644 -t "$(SHARE)/doc/mica" README.md CHANGELOG.md
	install -D -m 644 -t "$(SHARE)/doc/mica/docs" docs/*.md
	for page in $(PAGES); do \
		install -D -m 644 "$$page" "$(SHARE)/man/man$${page##*.}/$${page##*/}"; \
	done
	set -- bash zsh fish; for file in $(COMPLETIONS); do \
		install -d "$${file%/*}"; \
		$(BINARIES)/mica --generate-completion-script "$$1" >"$$file"; chmod 644 "$$file"; shift; \
	done

uninstall: ## what install put there
	rm -f "$(DESTDIR)$(PREFIX)/bin/mica" "$(DESTDIR)$(PREFIX)/bin/micafs" "$(DESTDIR)$(PREFIX)/bin/mica-enter" "$(DESTDIR)$(PREFIX)/bin/mica-registry" "$(DESTDIR)$(PREFIX)/bin/micad" "$(DESTDIR)$(SBINDIR)/mount.mica" "$(DESTDIR)$(PREFIX)/lib/systemd/system/micad.service"
	for link in $(HELPER_LINKS); do rm -f "$(DESTDIR)$(SBINDIR)/$$link"; done
	rm -rf "$(SHARE)/doc/mica"
	for page in $(PAGES); do \
		rm -f "$(SHARE)/man/man$${page##*.}/$${page##*/}"; \
	done
	rm -f $(COMPLETIONS)

clean: ## what a build made
	rm -rf .build
