[ -d /sys/fs/cgroup/box ] || { echo "There is no group /sys/fs/cgroup/box yet."; exit 1; }
if grep -qw memory /sys/fs/cgroup/cgroup.controllers; then
    memory=/sys/fs/cgroup/box/memory.max pids=/sys/fs/cgroup/box/pids.max
else
    memory=/cgroup/memory/box/memory.limit_in_bytes pids=/cgroup/pids/box/pids.max
fi
for file in $memory $pids; do
    [ -e $file ] || { echo "There is no $file: is the group there, in the right tree?"; exit 1; }
done
bytes=$(cat $memory) number=$(cat $pids)
if [ "$bytes" = max ] || [ ${#bytes} -gt 9 ] || [ "$bytes" -gt 134217728 ]; then
    echo "The box may use $bytes bytes. 64 MiB should do: echo 64M > $memory"
    exit 1
fi
if [ "$number" = max ] || [ "$number" -gt 50 ]; then
    echo "The box may have $number processes. 20 should do: echo 20 > $pids"
    exit 1
fi
echo "$((bytes / 1048576)) MiB and $number processes."
