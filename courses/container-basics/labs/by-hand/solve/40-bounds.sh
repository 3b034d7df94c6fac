setsid /bin/bash -c '
    for group in /cgroup/*/box /sys/fs/cgroup/box; do
        [ ! -d $group ] || echo $$ > $group/cgroup.procs
    done
    tail /dev/zero
    for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22; do (exec sleep 2) & done' >/dev/null 2>&1 &
events=/cgroup/pids/box/pids.events
[ -e $events ] || events=/sys/fs/cgroup/box/pids.events
tries=0
until grep -q '^max [1-9]' $events; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || exit 1
    sleep 0.1
done
kill %1 2>/dev/null
exit 0
