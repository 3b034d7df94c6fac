mkdir -p /sys/fs/cgroup/swarm
setsid sh -c 'echo $$ > /sys/fs/cgroup/swarm/cgroup.procs
    for n in 1 2 3 4 5 6 7 8 9; do setsid sleep 1000 & done; wait' >/dev/null 2>&1 &
until [ "$(wc -l < /sys/fs/cgroup/swarm/cgroup.procs)" -ge 9 ]; do sleep 0.1; done
wc -l < /sys/fs/cgroup/swarm/cgroup.procs > "$HOME/swarm"
echo 1 > /sys/fs/cgroup/swarm/cgroup.kill
while grep -q '^populated 1' /sys/fs/cgroup/swarm/cgroup.events; do sleep 0.1; done
