first=
for process in /proc/[0-9]*; do
    [ "$(awk '/^NSpid:/ { print NF - 1, $NF }' "$process/status" 2>/dev/null)" = "2 1" ] || continue
    grep -q ' / overlay .*upperdir=/box/top' "$process/mounts" && first=${process#/proc/}
done
[ -n "$first" ] || { echo "The container does not run: /srv/box/start bash"; exit 1; }
nsenter -t "$first" -n ip -o link show eth0 >/dev/null 2>&1 || { echo "In the container there is no device eth0."; exit 1; }
nsenter -t "$first" -n ip -o addr show eth0 | grep -q ' 10\.1\.0\.2/' || { echo "eth0 in there has not the address 10.1.0.2."; exit 1; }
ip -o addr | grep -q ' 10\.1\.0\.1/' || { echo "Out here nobody has the address 10.1.0.1."; exit 1; }
ping -c 1 -W 2 10.1.0.2 >/dev/null || { echo "10.1.0.2 does not answer. Are both ends up?"; exit 1; }
echo "The container answers at 10.1.0.2."
