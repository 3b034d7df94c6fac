own() { readlink "/proc/self/ns/$1"; }
why="Nobody is number 1 in a PID namespace of its own: /srv/box/start bash. And leave it open."
for process in /proc/[0-9]*; do
    [ "$(awk '/^NSpid:/ { print NF - 1, $NF }' "$process/status" 2>/dev/null)" = "2 1" ] || continue
    why=
    for kind in mnt uts ipc net cgroup; do
        if [ "$(readlink "$process/ns/$kind")" = "$(own $kind)" ]; then
            why="Process ${process#/proc/} shares the namespace $kind with the session."
        fi
    done
    [ -z "$why" ] || continue
    name=$(nsenter -t "${process#/proc/}" -u hostname)
    [ "$name" = box ] || { why="In there the host is called $name, and should be called box."; continue; }
    grep -q ' / overlay .*upperdir=/box/top' "$process/mounts" || { why="The root in there is not the overlay."; continue; }
    if grep -q ' /mnt ' "$process/mounts"; then why="The old root still hangs at /mnt in there: umount -l /mnt"; continue; fi
    grep -q '^proc /proc proc' "$process/mounts" || { why="There is no proc at /proc in there."; continue; }
    grep -q ':/box$' "$process/cgroup" || { why="It is in no group called box: the script start must go there first."; continue; }
    nsenter -t "${process#/proc/}" -n ip -o addr show lo | grep -q 127.0.0.1 || { why="The loopback device in there is down: ip link set lo up"; continue; }
    echo "Process ${process#/proc/} out here is process 1 in there: another host, another root, in its groups. That is a container."
    exit 0
done
echo "$why"
exit 1
