if ! grep -q ' /srv/small/proc proc ' /proc/mounts; then
    echo "No proc is mounted at /srv/small/proc: mount -t proc proc /srv/small/proc"
    exit 1
fi
number=$(tr -d ' \n' < /srv/small/number 2>/dev/null)
case $number in
    '') echo "/srv/small/number is missing or empty: inside, write the number of the sleep to /number."; exit 1 ;;
    *[!0-9]*) echo "/srv/small/number should hold one number, not: $(head -c 60 /srv/small/number)"; exit 1 ;;
esac
if [ "$(cat "/proc/$number/comm" 2>/dev/null)" = sleep ]; then
    echo "Process $number, the sleep, is still running. Inside: kill $number"
    exit 1
fi
echo "Seen from inside, and ended from inside: $number. A changed root hides no process."
