[ -d /sys/fs/cgroup/lab ] || { echo "There is no group /sys/fs/cgroup/lab yet."; exit 1; }
[ -e /sys/fs/cgroup/lab/cgroup.procs ] || { echo "/sys/fs/cgroup/lab is no group, but an ordinary directory."; exit 1; }
for process in $(cat /sys/fs/cgroup/lab/cgroup.procs); do
    grep -q '^0::/lab$' "/proc/$process/cgroup" 2>/dev/null || continue
    echo "Process $process ($(cat "/proc/$process/comm")) is in /lab."
    exit 0
done
echo "The group lab is there, but nobody is in it. In your shell: echo \$\$ > /sys/fs/cgroup/lab/cgroup.procs"
exit 1
