group=/cgroup/cpuset/Charlie
[ -d "$group" ] || group=/sys/fs/cgroup/Charlie
setsid sleep 3600 >/dev/null 2>&1 &
echo $! > $group/cgroup.procs
