group=/sys/fs/cgroup/ice
[ -d $group ] || { echo "There is no group $group yet."; exit 1; }
grep -q '^populated 1' $group/cgroup.events || { echo "The group ice is there, but nobody is in it."; exit 1; }
grep -q '^frozen 1' $group/cgroup.events || { echo "ice is not frozen: echo 1 > $group/cgroup.freeze. Press the button while it is."; exit 1; }
echo "Frozen, with $(wc -l < $group/cgroup.procs) process(es) in it."
