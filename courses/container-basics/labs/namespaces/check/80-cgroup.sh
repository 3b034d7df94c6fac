own=$(readlink /proc/self/ns/cgroup)
seen=
for process in /proc/[0-9]*; do
    other=$(readlink "$process/ns/cgroup" 2>/dev/null) || continue
    [ "$other" = "$own" ] && continue
    group=$(sed -n 's/^0:://p' "$process/cgroup")
    if [ "$group" != / ]; then
        echo "Process ${process#/proc/} is in $group, and believes it to be /."
        exit 0
    fi
    seen=yes
done
if [ -n "$seen" ]; then
    echo "There is a cgroup namespace, but it begins at the session's own root: move the shell into /sys/fs/cgroup/deep first."
else
    echo "Nobody is in another cgroup namespace."
fi
exit 1
