[ ! -e /sys/fs/cgroup/ice/cgroup.freeze ] || echo 0 > /sys/fs/cgroup/ice/cgroup.freeze
exit 0
