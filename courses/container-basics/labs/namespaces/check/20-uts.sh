[ "$(hostname)" != mine ] || { echo "The session itself is called mine: that was outside. Begin with: unshare --uts bash"; exit 1; }
own=$(readlink /proc/self/ns/uts)
seen=
for process in /proc/[0-9]*; do
    other=$(readlink "$process/ns/uts" 2>/dev/null) || continue
    [ "$other" = "$own" ] && continue
    name=$(nsenter -t "${process#/proc/}" -u hostname 2>/dev/null)
    if [ "$name" = mine ]; then
        echo "Process ${process#/proc/} lives on a host called mine; the session is still $(hostname)."
        exit 0
    fi
    seen=$name
done
if [ -n "$seen" ]; then
    echo "There is a shell in a UTS namespace of its own, but its host is called $seen: hostname mine"
else
    echo "Nobody is in another UTS namespace. Make one, and leave its shell open."
fi
exit 1
