#!/usr/bin/env bash
# Measures every row of docs/benchmarks.md beside its peers, in one run, and prints the table.
# usage: bench/run.sh [start|docker|prompt|burst|pull|push|serve|build|flood|interrupt|sessions|echo|idle|stay]...   (all of them)
# Everything lives below one folder, a tmpfs unless SANDLOT_BENCH_DIR names another: on a disk, its journal is measured.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "bench: containers are cloned, mounted and limited: run this as root" >&2; exit 1; }
[ $# -gt 0 ] || set -- start docker prompt burst pull push serve build flood interrupt sessions echo idle stay

cargo build --release --locked --bins --quiet
bin=$(make/target-dir.sh)/release
measure() { # BENCH ARGUMENTS...: what a bench of ours prints; of the whole workspace, so that the programs' dependencies serve
    cargo bench --quiet --workspace --bench "$1" --locked -- "${@:2}"
}
rounds=${SANDLOT_BENCH_ROUNDS:-100}

work=$(mktemp -d "${SANDLOT_BENCH_DIR:-/tmp}/sandlot-bench-XXXXXX")
chmod 755 "$work"
[ -n "${SANDLOT_BENCH_DIR:-}" ] || mount -t tmpfs -o size=8g,mode=755 sandlot-bench "$work"
export TMPDIR=$work XDG_RUNTIME_DIR=$work
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    awk -v below="$work/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
        while read -r path; do umount -l "$path" 2>/dev/null || true; done
    find /sys/fs/cgroup -depth -type d -path "*/$(basename "$work")*" -exec rmdir {} + 2>/dev/null || true
    [ -n "${SANDLOT_BENCH_DIR:-}" ] || umount -l "$work"
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

row() { printf '%-58s %10s  %-10s %s\n' "$@"; } # WHAT OURS-OR-PEER RATIO NOTE
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f x", a / b; else printf "-" }'; }
until_up() { for _ in $(seq 100); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done; echo "bench: not up: $*" >&2; return 1; }

. bench/peers.sh

for name in "$@"; do
    case $name in
        start | docker | prompt | burst | pull | push | serve | build | flood | interrupt | sessions | echo | idle | stay) "row_$name" ;;
        *) echo "bench: $name is no row: start docker prompt burst pull push serve build flood interrupt sessions echo idle stay" >&2; exit 2 ;;
    esac
done
