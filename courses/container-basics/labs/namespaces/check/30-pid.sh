seen=
for process in /proc/[0-9]*; do
    numbers=$(awk '/^NSpid:/ { print NF - 1, $NF }' "$process/status" 2>/dev/null)
    case $numbers in
        '2 1') ;;
        *) continue ;;
    esac
    if cmp -s "$process/root/proc/1/cmdline" "$process/cmdline"; then
        echo "Here it is process ${process#/proc/}; in there it is number 1."
        exit 0
    fi
    seen=${process#/proc/}
done
if [ -n "$seen" ]; then
    echo "Process $seen is number 1 in a namespace of its own, but its /proc still shows the old view: --mount-proc"
else
    echo "Nobody is number 1 in a PID namespace of its own. With --fork? And leave the shell open."
fi
exit 1
