if pidof unshare >/dev/null; then echo "The container still runs. In it: exit"; exit 1; fi
! ip -o link show to-box >/dev/null 2>&1 || { echo "The cable to-box is still there."; exit 1; }
left=$(awk '$2 ~ "^/box" || $2 ~ "^/cgroup/" { print $2; exit }' /proc/mounts)
[ -z "$left" ] || { echo "$left is still mounted."; exit 1; }
for group in /sys/fs/cgroup/box /cgroup/memory/box /cgroup/pids/box; do
    [ ! -d $group ] || { echo "The group $group is still there."; exit 1; }
done
[ -x /usr/bin/strace ] || { echo "/usr/bin/strace is gone: that was removed outside of the box."; exit 1; }
echo "Nothing is left of it, and the image is as it was."
