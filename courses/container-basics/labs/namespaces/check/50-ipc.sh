own=$(readlink /proc/self/ns/ipc)
outside=$(tail -n +2 /proc/sysvipc/msg | wc -l)
seen=
for process in /proc/[0-9]*; do
    other=$(readlink "$process/ns/ipc" 2>/dev/null) || continue
    [ "$other" = "$own" ] && continue
    seen=yes
    inside=$(nsenter -t "${process#/proc/}" -i cat /proc/sysvipc/msg 2>/dev/null | tail -n +2 | wc -l)
    if [ "$inside" -gt 0 ]; then
        echo "Process ${process#/proc/} has $inside queue(s) of its own; the session has $outside."
        exit 0
    fi
done
if [ -n "$seen" ]; then
    echo "There is a shell in an IPC namespace of its own, but no queue in there yet: ipcmk --queue"
else
    echo "Nobody is in another IPC namespace. Make one, and leave its shell open."
fi
exit 1
