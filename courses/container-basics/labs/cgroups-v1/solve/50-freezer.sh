if grep -qE '^[1-9][0-9]*:freezer:' /proc/self/cgroup; then
    mkdir -p /cgroup/freezer
    mount -t cgroup -ofreezer freezer /cgroup/freezer
    group=/cgroup/freezer/ice freeze='echo FROZEN > freezer.state'
else
    group=/sys/fs/cgroup/ice freeze='echo 1 > cgroup.freeze'
fi
mkdir -p $group
cd $group
setsid sh -c 'echo $$ > cgroup.procs; while sleep 1; do date > ~/clock; done' >/dev/null 2>&1 &
while [ -z "$(cat cgroup.procs)" ]; do sleep 0.1; done
eval "$freeze"
while [ -e freezer.state ] && [ "$(cat freezer.state)" != FROZEN ]; do sleep 0.1; done
exit 0
