mkdir -p /sys/fs/cgroup/lab
setsid sleep 3600 >/dev/null 2>&1 &
echo $! > /sys/fs/cgroup/lab/cgroup.procs
