if grep -q '^[1-9][0-9]*:cpuset:' /proc/self/cgroup; then
    if ! grep -q ' /cgroup/cpuset cgroup .*cpuset' /proc/mounts; then
        echo "At /cgroup/cpuset there is no cpuset tree: mount -t cgroup -ocpuset cpuset /cgroup/cpuset"
        exit 1
    fi
    [ -d /cgroup/cpuset/Charlie ] || { echo "The tree is mounted. Now the group: mkdir /cgroup/cpuset/Charlie"; exit 1; }
else
    [ -d /sys/fs/cgroup/Charlie ] || { echo "There is no group /sys/fs/cgroup/Charlie yet."; exit 1; }
    [ -e /sys/fs/cgroup/Charlie/cpuset.cpus ] || { echo "Charlie has no cpuset.cpus: hand +cpuset on, as the first step says."; exit 1; }
fi
echo "There is a group, Charlie."
