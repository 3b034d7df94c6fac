if [ -d /cgroup/cpuset/Charlie ]; then
    cd /cgroup/cpuset/Charlie
    sed 's/[,-].*//' ../cpuset.cpus > cpuset.cpus
    cat ../cpuset.mems > cpuset.mems
else
    cd /sys/fs/cgroup/Charlie
    sed 's/[,-].*//' ../cpuset.cpus.effective > cpuset.cpus
fi
