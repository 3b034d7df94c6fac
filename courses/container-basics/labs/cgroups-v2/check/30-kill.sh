group=/sys/fs/cgroup/swarm
[ -d $group ] || { echo "There is no group $group yet."; exit 1; }
number=$(tr -d ' \n' < "$HOME/swarm" 2>/dev/null)
case $number in
    '') echo "~/swarm is missing or empty: write the number of processes into it before you end them."; exit 1 ;;
    *[!0-9]*) echo "~/swarm should hold a number."; exit 1 ;;
esac
[ "$number" -ge 5 ] || { echo "~/swarm says $number. There should have been at least 5 in the group when you counted."; exit 1; }
if grep -q '^populated 1' $group/cgroup.events; then
    echo "There are $(wc -l < $group/cgroup.procs) processes in swarm: echo 1 > $group/cgroup.kill"
    exit 1
fi
echo "$number processes, one word, nobody left."
