why="The container does not run: /srv/box/start bash. And leave it open."
for process in /proc/[0-9]*; do
    [ "$(awk '/^NSpid:/ { print NF - 1, $NF }' "$process/status" 2>/dev/null)" = "2 1" ] || continue
    grep -q ' / overlay .*upperdir=/box/top' "$process/mounts" || continue
    field() { awk -v key="$1:" '$1 == key { print $2 }' "$process/status"; }
    [ "$(field Uid)" != 0 ] || { why="Its first process is still root: --reuid=student"; continue; }
    [ -z "$(awk '/^Groups:/ { print $2 }' "$process/status")" ] || { why="Its first process still has further groups: --clear-groups"; continue; }
    [ "$(field CapEff)" = 0000000000000000 ] || { why="It still has capabilities."; continue; }
    [ "$(field CapBnd)" = 0000000000000000 ] || { why="It could still get capabilities by a program of root's: --bounding-set=-all"; continue; }
    [ "$(field NoNewPrivs)" = 1 ] || { why="Programs may still raise its rights: --no-new-privs"; continue; }
    echo "Process 1 in there is user $(field Uid), without any capability, and can get none."
    exit 0
done
echo "$why"
exit 1
