mkdir -p /sys/fs/cgroup/deep
setsid sh -c 'echo $$ > /sys/fs/cgroup/deep/cgroup.procs; exec /usr/bin/unshare --cgroup sleep 3600' >/dev/null 2>&1 &
until [ "$(cat /proc/$!/comm 2>/dev/null)" = sleep ]; do sleep 0.1; done
