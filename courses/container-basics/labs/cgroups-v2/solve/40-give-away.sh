mkdir -p /sys/fs/cgroup/desk
cd /sys/fs/cgroup/desk
echo 2 > cgroup.max.descendants
chown student . cgroup.procs
setsid sh -c 'echo $$ > cgroup.procs
    exec su student -c "mkdir -p own; echo \$\$ > own/cgroup.procs; exec sleep 3600"' >/dev/null 2>&1 &
tries=0
until grep -q . own/cgroup.procs 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 50 ] || exit 1
    sleep 0.1
done
