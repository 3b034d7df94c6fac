if grep -qE '^[1-9][0-9]*:freezer:' /proc/self/cgroup; then
    group=/cgroup/freezer/ice
    [ -d $group ] || { echo "There is no group $group yet."; exit 1; }
    state=$(cat $group/freezer.state)
else
    group=/sys/fs/cgroup/ice
    [ -d $group ] || { echo "There is no group $group yet."; exit 1; }
    state=THAWED
    grep -q '^frozen 1' $group/cgroup.events && state=FROZEN
fi
[ -n "$(cat $group/cgroup.procs)" ] || { echo "The group ice is there, but nobody is in it."; exit 1; }
case $state in
    FROZEN) echo "Frozen: $(cat $group/cgroup.procs | wc -l) process(es), with one word." ;;
    *) echo "The group ice is $state. Freeze it, and press the button while it is frozen."; exit 1 ;;
esac
