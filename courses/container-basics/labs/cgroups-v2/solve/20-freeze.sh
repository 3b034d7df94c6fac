mkdir -p /sys/fs/cgroup/ice
setsid sh -c 'echo $$ > /sys/fs/cgroup/ice/cgroup.procs; while sleep 1; do date > ~/clock; done' >/dev/null 2>&1 &
until grep -q '^populated 1' /sys/fs/cgroup/ice/cgroup.events; do sleep 0.1; done
echo 1 > /sys/fs/cgroup/ice/cgroup.freeze
until grep -q '^frozen 1' /sys/fs/cgroup/ice/cgroup.events; do sleep 0.1; done
