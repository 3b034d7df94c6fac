group=/cgroup/cpuset/Charlie
[ -d "$group" ] || group=/sys/fs/cgroup/Charlie
[ -d "$group" ] || { echo "There is no group Charlie."; exit 1; }
cpus=$(cat $group/cpuset.cpus)
case $cpus in
    '') echo "Charlie's cpuset.cpus is still empty."; exit 1 ;;
    *[!0-9]*) echo "Charlie's cpuset.cpus is $cpus. One processor only, please: a single number."; exit 1 ;;
esac
if [ "$group" = /cgroup/cpuset/Charlie ] && [ -z "$(cat $group/cpuset.mems)" ]; then
    echo "Charlie's cpuset.mems is still empty: a group needs both."
    exit 1
fi
echo "Charlie has processor $cpus."
