if grep -qw memory /sys/fs/cgroup/cgroup.controllers; then
    killed=/sys/fs/cgroup/box/memory.events refused=/sys/fs/cgroup/box/pids.events
else
    killed=/cgroup/memory/box/memory.oom_control refused=/cgroup/pids/box/pids.events
fi
[ -e $killed ] && [ -e $refused ] || { echo "The groups of the box are not there."; exit 1; }
times=$(awk '$1 == "oom_kill" { print $2 }' $killed)
[ "${times:-0}" -gt 0 ] || { echo "Nobody in the box has met the bound of its memory yet: tail /dev/zero"; exit 1; }
forks=$(awk '$1 == "max" { print $2 }' $refused)
[ "${forks:-0}" -gt 0 ] || { echo "Nobody in the box has met the bound of its processes yet: start more than 20."; exit 1; }
echo "Killed: $times. Refused to fork: $forks times. Both in the box alone."
