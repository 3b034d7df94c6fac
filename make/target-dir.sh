#!/usr/bin/env bash
# Prints the directory that holds `debug/` and `release/` of the programs (the build names its target explicitly).
set -euo pipefail
cd "$(dirname "$0")/.."
directory=$(cargo metadata --format-version 1 --no-deps --offline --locked | sed -E 's/.*"target_directory":"([^"]*)".*/\1/')
echo "$directory/$(rustc --version --verbose | sed -n 's/^host: //p')"
