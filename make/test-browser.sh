#!/usr/bin/env bash
# The page in a real Chromium. The Rust side (tests/src/bin/stage.rs) starts the whole system, the script drives it.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --workspace --bins --locked
cargo build --workspace --example replay --locked
export SANDLOT_STAGE="$(make/target-dir.sh)/debug/sandlot-stage"
export SANDLOT_REPLAY="$(make/target-dir.sh)/debug/examples/replay"
cd tests/browser
node --test --test-reporter=spec ./*.test.mjs
