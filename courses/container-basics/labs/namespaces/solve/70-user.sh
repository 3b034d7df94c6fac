#!/bin/bash
PATH=/usr/sbin:/usr/bin:/sbin:/bin
setsid su student -c 'exec unshare --user --map-root-user sleep 3600' >/dev/null 2>&1 &
for _ in {1..50}; do
    for process in $(pgrep -u student sleep); do
        grep -q '^ *0 *1000 ' "/proc/$process/uid_map" && exit 0
    done
    sleep 0.1
done
exit 1
