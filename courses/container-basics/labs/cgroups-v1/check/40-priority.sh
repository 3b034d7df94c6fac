if [ -d /cgroup/cpu ]; then
    for group in /cgroup/cpu/heavy /cgroup/cpu/light /cgroup/cpuacct/heavy /cgroup/cpuacct/light; do
        [ -e "$group/tasks" ] || { echo "There is no group $group yet."; exit 1; }
    done
    heavy=$(cat /cgroup/cpu/heavy/cpu.shares) light=$(cat /cgroup/cpu/light/cpu.shares)
    used() { cat /cgroup/cpuacct/$1/cpuacct.usage; }
    least=100000000
elif [ -e /sys/fs/cgroup/heavy/cpu.weight ] && [ -e /sys/fs/cgroup/light/cpu.weight ]; then
    heavy=$(cat /sys/fs/cgroup/heavy/cpu.weight) light=$(cat /sys/fs/cgroup/light/cpu.weight)
    used() { awk '$1 == "usage_usec" { print $2 }' /sys/fs/cgroup/$1/cpu.stat; }
    least=100000
else
    echo "There are no groups heavy and light yet, in a tree of the cpu controller."
    exit 1
fi
if [ "$heavy" -lt $((light * 2)) ]; then
    echo "heavy counts $heavy, light counts $light: heavy should count at least twice as much."
    exit 1
fi
by_heavy=$(used heavy) by_light=$(used light)
if [ "$by_light" -lt $least ] || [ "$by_heavy" -lt $least ]; then
    echo "heavy counts $heavy and light $light, but they have hardly run yet: start a loop in each, and wait a few seconds."
    exit 1
fi
ratio=$((by_heavy * 10 / by_light))
if [ $ratio -lt 13 ]; then
    echo "heavy used $((ratio / 10)).$((ratio % 10)) times as much as light. Do both loops fight for the same processor?"
    exit 1
fi
echo "heavy used $((ratio / 10)).$((ratio % 10)) times as much as light."
