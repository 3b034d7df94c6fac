if grep -q '^[1-9][0-9]*:cpuset:' /proc/self/cgroup; then
    mkdir -p /cgroup/cpuset
    mount -t cgroup -ocpuset cpuset /cgroup/cpuset
    mkdir -p /cgroup/cpuset/Charlie
else
    mkdir -p /sys/fs/cgroup/Charlie
fi
