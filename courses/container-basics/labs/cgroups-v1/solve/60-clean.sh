cd /
for tree in /cgroup/*; do
    [ -e "$tree/tasks" ] || continue
    for group in "$tree"/*/; do
        [ -d "$group" ] || continue
        [ ! -e "$group/freezer.state" ] || echo THAWED > "$group/freezer.state"
        for process in $(cat "$group/tasks"); do
            # What this lab started ends; a shell that somebody types into is only moved.
            case $(cat "/proc/$process/comm" 2>/dev/null) in
                bash) ;;
                sh) [ -t 0 ] || kill -9 "$process" ;;
                *) kill -9 "$process" ;;
            esac
            echo "$process" > "$tree/tasks"
        done 2>/dev/null
        tries=0
        until rmdir "$group" 2>/dev/null; do
            tries=$((tries + 1))
            [ $tries -lt 50 ] || exit 1
            for process in $(cat "$group/tasks"); do echo "$process" > "$tree/tasks"; done 2>/dev/null
            sleep 0.1
        done
    done
    umount "$tree" || exit 1
done
for name in Charlie small heavy light ice; do
    group=/sys/fs/cgroup/$name
    [ -d "$group" ] || continue
    echo 0 > "$group/cgroup.freeze"
    for process in $(cat "$group/cgroup.procs"); do echo "$process" > /sys/fs/cgroup/all/cgroup.procs; done 2>/dev/null
    rmdir "$group" || exit 1
done
exit 0
