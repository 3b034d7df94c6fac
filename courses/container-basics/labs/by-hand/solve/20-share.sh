if grep -qw memory /sys/fs/cgroup/cgroup.controllers; then
    cd /sys/fs/cgroup
    mkdir -p all box
    for process in $(cat cgroup.procs); do echo $process > all/cgroup.procs; done 2>/dev/null
    echo '+memory +pids' > cgroup.subtree_control
    echo 64M > box/memory.max
    echo 20 > box/pids.max
else
    for tree in memory pids; do
        mkdir -p /cgroup/$tree
        mount -t cgroup -o$tree $tree /cgroup/$tree
        mkdir -p /cgroup/$tree/box
    done
    echo 64M > /cgroup/memory/box/memory.limit_in_bytes
    echo 20 > /cgroup/pids/box/pids.max
    mkdir -p /sys/fs/cgroup/box
fi
