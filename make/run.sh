#!/usr/bin/env bash
# Starts everything by the supervisor, prints one URL when the page answers; Ctrl-C ends it all.
# usage: make/run.sh DIRECTORY-OF-THE-PROGRAMS
set -euo pipefail

if [ "$(id -u)" != 0 ]; then
    echo "the engine clones, mounts and limits containers: run this as root" >&2
    exit 1
fi
"$1/sandlot" supervise &
supervisor=$!
# The supervisor ends the three it started; the second trap keeps a second Ctrl-C from leaving it half done.
trap 'trap "" INT TERM; kill -TERM "$supervisor" 2>/dev/null || true; wait "$supervisor" || true; exit 0' INT TERM
listen=${SANDLOT_LISTEN:-127.0.0.1:8080}
until (exec 3<>"/dev/tcp/${listen%:*}/${listen##*:}") 2>/dev/null; do
    kill -0 "$supervisor" 2>/dev/null || wait "$supervisor"
    sleep 0.1
done
echo
echo "  Sandlot:  http://$listen/"
echo
wait "$supervisor"
