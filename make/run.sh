#!/usr/bin/env bash
# Starts everything by the supervisor; the web server prints its URL. Ctrl-C ends it all, sessions included.
# usage: make/run.sh DIRECTORY-OF-THE-PROGRAMS
set -euo pipefail

if [ "$(id -u)" != 0 ]; then
    echo "the engine clones, mounts and limits containers: run this as root" >&2
    exit 1
fi
# The courses of this checkout, unless others are named; the server, which is not root, must be able to read them.
export SANDLOT_COURSES="${SANDLOT_COURSES-$(cd "$(dirname "$0")/.." && pwd)/courses}"
exec "$1/sandlot" supervise
