group=/cgroup/cpuset/Charlie
[ -d "$group" ] || group=/sys/fs/cgroup/Charlie
[ -d "$group" ] || { echo "There is no group Charlie."; exit 1; }
for process in /proc/[0-9]*; do
    grep -qE '^([0-9]+:cpuset|0:):/Charlie$' "$process/cgroup" 2>/dev/null || continue
    allowed=$(awk '/^Cpus_allowed_list/ { print $2 }' "$process/status")
    if [ "$allowed" = "$(cat $group/cpuset.cpus)" ]; then
        echo "Process ${process#/proc/} ($(cat "$process/comm")) is in Charlie, and may run on processor $allowed only."
        exit 0
    fi
done
echo "Nobody is in Charlie. In the shell that is to move: echo \$\$ > $group/$([ -e $group/tasks ] && echo tasks || echo cgroup.procs)"
exit 1
