group=/sys/fs/cgroup/hungry limit=memory.max killed=memory.events
if ! grep -qw memory /sys/fs/cgroup/cgroup.controllers; then
    group=/cgroup/memory/hungry limit=memory.limit_in_bytes killed=memory.oom_control
fi
[ -d $group ] || { echo "There is no group $group yet."; exit 1; }
bytes=$(cat $group/$limit 2>/dev/null)
[ -n "$bytes" ] || { echo "$group has no $limit: the controller was not handed on."; exit 1; }
if [ "$bytes" = max ] || [ ${#bytes} -gt 8 ] || [ "$bytes" -gt 67108864 ]; then
    echo "The limit of hungry is $bytes. It should be 64 MiB or less."
    exit 1
fi
times=$(awk '$1 == "oom_kill" { print $2 }' $group/$killed)
[ "${times:-0}" != 0 ] || { echo "The limit is set, but nobody has met it yet."; exit 1; }
echo "Limit $bytes bytes, met: the kernel has ended $times in there."
