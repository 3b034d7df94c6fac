own=$(readlink /proc/self/ns/time)
seen=
for process in /proc/[0-9]*; do
    other=$(readlink "$process/ns/time" 2>/dev/null) || continue
    [ "$other" = "$own" ] && continue
    seconds=$(awk '$1 == "boottime" { print $2 }' "$process/timens_offsets" 2>/dev/null)
    if [ "${seconds:-0}" -ge 31536000 ]; then
        echo "For process ${process#/proc/} the machine has been up for $((seconds / 86400)) days longer."
        exit 0
    fi
    seen=${seconds:-0}
done
if [ -n "$seen" ]; then
    echo "There is a time namespace, but it is only $seen seconds ahead: --boottime 31536000"
else
    echo "Nobody is in another time namespace. Like PID, only children are born into it: --fork"
fi
exit 1
