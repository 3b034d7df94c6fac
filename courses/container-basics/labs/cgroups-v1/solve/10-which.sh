named=$(grep '^[1-9][0-9]*:' /proc/self/cgroup | grep -vc ':name=')
if [ "$named" -gt 0 ] && grep -q '^0::' /proc/self/cgroup; then
    echo mixed > "$HOME/version"
elif [ "$named" -gt 0 ]; then
    echo 1 > "$HOME/version"
else
    echo 2 > "$HOME/version"
    cd /sys/fs/cgroup
    mkdir -p all
    for process in $(cat cgroup.procs); do echo $process > all/cgroup.procs; done 2>/dev/null
    echo '+cpuset +cpu +memory' > cgroup.subtree_control
fi
