#!/usr/bin/env bash
# Everything that must hold before a change lands. One profile for all of it: the dependencies are built once.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -n "${CI:-}" ]; then
    # Outside the checkout, so that the next run of the same machine finds the dependencies built.
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-/var/tmp/sandlot-ci-target}
    export CARGO_TERM_PROGRESS_WHEN=never CARGO_INCREMENTAL=0
fi
if [ "$(id -u)" != 0 ]; then
    echo "the tests clone, mount and limit real containers: run them as root" >&2
    exit 1
fi

step() {
    local started=$SECONDS
    echo "── $1"
    shift
    "$@" </dev/null || { echo "── failed: $*"; exit 1; }
    echo "── done in $((SECONDS - started)) s"
}

before=$(mktemp)
trap 'rm -f "$before"' EXIT
make/left-behind.sh snapshot "$before"

step 'pages: types, formatting, tests' make --no-print-directory test-web
step 'pages: build' make --no-print-directory web
step 'rust: formatting and lints' make --no-print-directory lint
step 'browser: scripts' make --no-print-directory tests/browser/node_modules/.installed
step 'rust: unit and end to end' make --no-print-directory test-rust
step 'guest: control groups of version 2, checkpoints' make --no-print-directory test-guest
step 'browser: Chromium' make --no-print-directory test-browser
step 'what the tests left behind' make/left-behind.sh compare "$before"
