for group in /cgroup/cpuset/Charlie /cgroup/memory/small /cgroup/cpu/heavy /cgroup/cpu/light /cgroup/cpuacct/heavy \
    /cgroup/cpuacct/light /cgroup/freezer/ice /sys/fs/cgroup/Charlie /sys/fs/cgroup/small /sys/fs/cgroup/heavy \
    /sys/fs/cgroup/light /sys/fs/cgroup/ice; do
    [ -d "$group" ] || continue
    left=$(wc -l < "$group/cgroup.procs")
    echo "The group $group is still there, with $left process(es) in it."
    exit 1
done
mounted=$(awk '$2 ~ "^/cgroup/" { print $2; exit }' /proc/mounts)
[ -z "$mounted" ] || { echo "$mounted is still mounted: cd / and umount $mounted"; exit 1; }
if grep -q /Charlie /proc/[0-9]*/cgroup 2>/dev/null; then
    echo "Somebody is still in Charlie."
    exit 1
fi
echo "No group of yours, no tree, nobody left behind."
