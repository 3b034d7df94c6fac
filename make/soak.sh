#!/usr/bin/env bash
# 200 rounds of kills in the middle of everything a visitor does (tests/tests/e2e/kills/). SANDLOT_KILL_SEED begins a campaign that
# failed again.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "soak: real containers are cloned and killed: run this as root" >&2; exit 1; }

export SANDLOT_KILL_ROUNDS=${SANDLOT_KILL_ROUNDS:-200}
cargo build --workspace --bins --locked
cargo test --workspace --locked --test e2e -- --nocapture kills::
