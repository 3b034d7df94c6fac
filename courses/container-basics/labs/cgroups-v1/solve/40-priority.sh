if grep -qE '^[1-9][0-9]*:([a-z,]*,)?cpu(,|:)' /proc/self/cgroup; then
    for tree in cpu cpuacct; do
        mkdir -p /cgroup/$tree
        mount -t cgroup -o$tree $tree /cgroup/$tree || mount -t cgroup -ocpu,cpuacct $tree /cgroup/$tree
        mkdir -p /cgroup/$tree/heavy /cgroup/$tree/light
    done
    echo 2048 > /cgroup/cpu/heavy/cpu.shares
    echo 256 > /cgroup/cpu/light/cpu.shares
    into='for tree in cpu cpuacct; do echo $$ > /cgroup/$tree/$name/tasks; done; echo $$ > /cgroup/cpuset/Charlie/tasks'
else
    cd /sys/fs/cgroup
    mkdir -p heavy light
    for name in heavy light; do cat Charlie/cpuset.cpus > $name/cpuset.cpus; done
    echo 800 > heavy/cpu.weight
    echo 100 > light/cpu.weight
    into='echo $$ > $name/cgroup.procs'
fi
for name in heavy light; do
    name=$name setsid sh -c "$into; exec timeout 120 sh -c 'while :; do :; done'" >/dev/null 2>&1 &
done
sleep 6
