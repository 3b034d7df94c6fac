#!/usr/bin/env bash
# What of ours is on this machine: mounts, control groups, interfaces, firewall tables, namespaces, loop devices, processes,
# temporary folders. Two snapshots, before and after the tests, show what the tests left behind.
# usage: make/left-behind.sh snapshot FILE | make/left-behind.sh compare FILE
set -euo pipefail

ours() {
    awk '/sandlot/ { print "mount " $5 }' /proc/self/mountinfo
    find /sys/fs/cgroup -maxdepth 4 -type d -name '*sandlot*' -printf 'control group %p\n' 2>/dev/null || true
    # Interfaces that belong to a container or a bridge, not those that the machine came with.
    ip -oneline link show 2>/dev/null | awk -F': ' '$2 ~ /^sl/ { print "interface " $2 }'
    nft list tables 2>/dev/null | awk '/sandlot/ { print "firewall " $0 }' || true
    ip netns list 2>/dev/null | awk '/sandlot/ { print "network namespace " $1 }' || true
    losetup --list --noheadings --output NAME,BACK-FILE 2>/dev/null | awk '/sandlot/ { print "loop device " $0 }' || true
    for process in /proc/[0-9]*; do
        case $(readlink "$process/exe" 2>/dev/null || true) in
            */sandlot | */sandlot-server | */sandlot-stage | */dockerd | */containerd | */docker-registry)
                echo "process ${process#/proc/} $(tr '\0' ' ' <"$process/cmdline" 2>/dev/null | cut -c1-120)" ;;
        esac
    done
    find "${TMPDIR:-/tmp}" -maxdepth 1 -name '*sandlot*' -printf 'folder %p\n' 2>/dev/null || true
}

case "${1:-} ${2:-}" in
    "snapshot "?*) ours | sort >"$2" ;;
    "compare "?*)
        # Groups and network namespaces of what has just ended are freed in the background.
        for _ in $(seq 50); do
            left=$(ours | sort | comm -13 "$2" -)
            [ -n "$left" ] || { echo 'nothing'; exit 0; }
            sleep 0.2
        done
        echo "left behind by the tests:" >&2
        echo "$left" >&2
        exit 1 ;;
    *) echo 'usage: make/left-behind.sh snapshot|compare FILE' >&2; exit 2 ;;
esac
