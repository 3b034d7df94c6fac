# The commands that people type. Each installs what it needs first; what is there already costs nothing.
#
#   make run     build everything and start it: prints one URL
#   make test    everything that must hold before a change lands
#   make bench   the numbers of docs/benchmarks.md, measured here
#   make help    the rest

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

WEB := web
BROWSER := tests/browser

.PHONY: help run test soak bench build bootcamp-image web fmt lint check-web test-rust test-guest test-web test-browser setup-run setup-test setup-bench setup-bootcamp clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | column -t -s "$$(printf '\t')"

run: setup-run web ## install, build in release mode, start everything, print one URL
	@cargo build --release --locked --bins
	exec make/run.sh "$$(make/target-dir.sh)/release"

test: setup-test ## formatting, lints, pages, Rust, end to end, browser
	@make/test.sh

soak: setup-test ## 200 rounds of kills in the middle of everything a visitor does
	@make/soak.sh

bench: setup-bench ## measure beside bubblewrap, crun, docker and the bare system calls
	@bench/run.sh

build: web ## both programs and the page, for development
	@cargo build --workspace --bins --locked

bootcamp-image: setup-bootcamp ## sandlot/bootcamp, the image of the course Container basics, into the engine that runs
	@cargo build --release --locked --bins
	make/bootcamp-image.sh "$$(make/target-dir.sh)/release"

web: $(WEB)/node_modules/.installed ## the page, built for the server to embed
	@cd $(WEB) && npm run --silent build

fmt: $(WEB)/node_modules/.installed ## format everything
	@cargo fmt --all
	cd $(WEB) && npm run --silent format

lint: ## formatting and lints of the Rust code, warnings are errors
	@cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

check-web: $(WEB)/node_modules/.installed ## types and formatting of the pages
	@cd $(WEB) && npm run --silent lint && npm run --silent check

test-web: check-web ## tests of the pages
	@cd $(WEB) && npm run --silent test

test-rust: ## unit tests and end-to-end tests (as root)
	@make/test-rust.sh

test-guest: ## control groups of version 2, and checkpoints, in a virtual machine with Debian's kernel
	@tests/guest/cgroup2
	@tests/guest/checkpoint

test-browser: $(BROWSER)/node_modules/.installed ## the page in a real Chromium (as root)
	@make/test-browser.sh

setup-run setup-test setup-bench setup-bootcamp: setup-%: ## install the Debian packages that are missing
	@make/setup.sh $*

clean: ## what was built
	@cargo clean
	rm -rf $(WEB)/dist $(WEB)/node_modules $(BROWSER)/node_modules

%/node_modules/.installed: %/package-lock.json
	@cd $* && npm ci --no-audit --no-fund --loglevel=error
	touch node_modules/.installed
