group=/cgroup/memory/small limit=memory.limit_in_bytes killed=memory.oom_control
if ! grep -q '^[1-9][0-9]*:memory:' /proc/self/cgroup; then
    group=/sys/fs/cgroup/small limit=memory.max killed=memory.events
fi
[ -d "$group" ] || { echo "There is no group $group yet."; exit 1; }
bytes=$(cat "$group/$limit" 2>/dev/null)
[ -n "$bytes" ] || { echo "$group has no $limit: is it in a tree of the memory controller?"; exit 1; }
if [ "$bytes" = max ] || [ ${#bytes} -gt 8 ] || [ "$bytes" -gt 67108864 ]; then
    echo "The limit of $group is $bytes. It should be 64 MiB or less: echo 32M > $limit"
    exit 1
fi
times=$(awk '$1 == "oom_kill" { print $2 }' "$group/$killed")
if [ "${times:-0}" = 0 ]; then
    echo "The limit is $bytes bytes, but nobody has met it yet: start something hungry in the group."
    exit 1
fi
echo "The kernel has ended $times in there; everything outside went on."
