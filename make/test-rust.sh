#!/usr/bin/env bash
# Unit tests and end-to-end tests. The end-to-end tests run the programs beside their own binary, so those are
# built first, by the same profile.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --workspace --bins --locked
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace --locked --no-fail-fast "$@"
else
    cargo test --workspace --locked --no-fail-fast "$@"
fi
