# The front door. `make` alone lists what there is.
#
# Everything is built in release: the demo, the tests and the benchmarks then
# share one build of the two engines, which is most of the work.

SHELL := /bin/bash
.DEFAULT_GOAL := help

CARGO ?= cargo
PYTHON ?= python3
TARGET_DIR := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= bundle caffe decode onnx tokens words
FUZZ_TOOLS := $(CURDIR)/.deps/cargo-fuzz-0.13.2
# Arguments for the whole-pipeline benchmark.
BENCH_ARGS ?=
# Of graftd and libgraft_runtime, beside the default ones: make device FEATURES=tokens
FEATURES ?=

# Name another library on the command line: make test ORT_DYLIB_PATH=/path/to/libonnxruntime.so
export ORT_DYLIB_PATH := $(CURDIR)/.deps/onnxruntime/libonnxruntime.so

.PHONY: all build setup demo demo-sources demo-develop demo-text elpv test check device board soak lint fmt docs bench fuzz clean distclean help

all: build ## the same as build

build: ## build the graft command (release)
	$(CARGO) build --release --workspace --bin graft

setup: ## fetch ONNX Runtime, photos, networks, word vectors and test data into .deps/ (442 MB, once)
	@$(PYTHON) tests/setup/setup.py

demo: setup build ## solar cells: train, compare the two engines, predict (minutes)
	@PATH="$(TARGET_DIR)/release:$$PATH" tests/demo/run.sh

demo-sources: setup build ## solar cells: which source, and how much of it (15 minutes)
	@PATH="$(TARGET_DIR)/release:$$PATH" tests/demo/sources.sh

demo-develop: setup build ## Fashion-MNIST: a source of one's own, and what it brings where photos are few (half an hour)
	@PATH="$(TARGET_DIR)/release:$$PATH" tests/demo/develop.sh

demo-text: setup build ## mails: spam or not, with GloVe's word vectors, as they are and tuned (5 minutes)
	@PATH="$(TARGET_DIR)/release:$$PATH" $(PYTHON) tests/demo/text.py

elpv: setup build ## solar cells: fine-tuning on the three published splits (an hour)
	@PATH="$(TARGET_DIR)/release:$$PATH" $(PYTHON) tests/demo/elpv.py

test: setup ## all tests, doc tests included; those for ARM where this machine can have them
	@CARGO="$(CARGO)" tests/run.sh

check: lint test ## lint, then test: what a change must pass

device: ## graftd and libgraft_runtime for ARM, in target/device/ (sudo firmware/build/setup.sh once)
	@$(PYTHON) firmware/build/device.py $(if $(FEATURES),--features $(FEATURES))

board: ## boot the aarch64 graftd on an emulated board with a camera (after device; 3 minutes)
	@$(PYTHON) firmware/build/board/board.py

soak: ## 200,000 frames through graftd, its memory watched (20 seconds once built)
	GRAFT_SOAK_FRAMES=200000 $(CARGO) test --release --workspace --test graftd -- soak --nocapture

lint: ## formatting, clippy and docs, warnings denied
	@$(CARGO) fmt --version >/dev/null 2>&1 || { echo "lint: rustfmt is missing: rustup component add rustfmt" >&2; exit 2; }
	@$(CARGO) clippy --version >/dev/null 2>&1 || { echo "lint: clippy is missing: rustup component add clippy" >&2; exit 2; }
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --workspace --no-deps

fmt: ## format the sources
	$(CARGO) fmt --all

docs: ## the API documentation, in target/doc
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --workspace --no-deps

bench: setup build ## benchmarks: the parts, then the whole pipeline against its baselines
	$(CARGO) bench --workspace
	$(CARGO) build --release --workspace --bin interleave
	$(TARGET_DIR)/release/interleave $(BENCH_ARGS)
	$(TARGET_DIR)/release/interleave sources .deps/elpv/split-0.csv

# cargo-fuzz wants unstable flags; RUSTC_BOOTSTRAP lets the stable compiler take them.
fuzz: $(FUZZ_TOOLS)/bin/cargo-fuzz ## fuzz what parses bytes, FUZZ_SECONDS each
	@for target in $(FUZZ_TARGETS); do \
	  echo "fuzzing $$target for $(FUZZ_SECONDS) s"; \
	  PATH="$(FUZZ_TOOLS)/bin:$$PATH" RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run --fuzz-dir tests/fuzz $$target \
	    -- -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

$(FUZZ_TOOLS)/bin/cargo-fuzz:
	@echo "installing cargo-fuzz 0.13.2 into .deps/, for this folder alone"
	$(CARGO) install cargo-fuzz --version 0.13.2 --locked --root $(FUZZ_TOOLS)

clean: ## remove what was built; keep .deps/
	rm -rf target
	@if [ "$(TARGET_DIR)" != "$(CURDIR)/target" ]; then $(CARGO) clean; fi

distclean: clean ## remove .deps/ too
	rm -rf .deps

help: ## this list
	@echo "graft: transfer learning on ONNX backbones, for ARM boards"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
