[ "$(hostname)" != visited ] || { echo "The session itself is called visited now: join the other namespace first."; exit 1; }
own=$(readlink /proc/self/ns/uts)
seen=
for process in $(pidof incontainer); do
    for inner in $(pgrep -P "$process"); do
        [ "$(readlink "/proc/$inner/ns/uts")" = "$own" ] && continue
        seen=$(nsenter -t "$inner" -u hostname)
        if [ "$seen" = visited ]; then
            echo "Somebody was in process $inner's namespace, and left a name there."
            exit 0
        fi
    done
done
if [ -n "$seen" ]; then
    echo "incontainer runs, and its host is called $seen. Join it, and call it visited."
else
    echo "incontainer does not run: start it in the first terminal, and leave it open."
fi
exit 1
