desk=/sys/fs/cgroup/desk
[ -d $desk ] || { echo "There is no group $desk yet."; exit 1; }
[ "$(stat -c %U $desk)" = student ] || { echo "desk belongs to $(stat -c %U $desk): chown student $desk"; exit 1; }
[ "$(stat -c %U $desk/cgroup.procs)" = student ] || { echo "The directory is the student's, its cgroup.procs is not."; exit 1; }
[ "$(stat -c %U $desk/cgroup.max.descendants)" != student ] || { echo "desk/cgroup.max.descendants is the student's: now they can lift their own bound."; exit 1; }
[ "$(cat $desk/cgroup.max.descendants)" != max ] || { echo "desk has no bound: echo 2 > $desk/cgroup.max.descendants"; exit 1; }
student=$(id -u student)
for process in /proc/[0-9]*; do
    grep -q '^0::/desk/.' "$process/cgroup" 2>/dev/null || continue
    if [ "$(awk '/^Uid:/ { print $3 }' "$process/status")" = "$student" ]; then
        group=$(sed -n 's/^0:://p' "$process/cgroup")
        [ "$(stat -c %U "/sys/fs/cgroup$group")" = student ] || { echo "$group was not made by the student."; exit 1; }
        echo "Process ${process#/proc/} is the student's, in a group of the student's own: $group"
        exit 0
    fi
done
echo "desk is handed over. Now, as the student, make a group in it and move into that."
exit 1
