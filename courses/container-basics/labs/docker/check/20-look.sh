right=$(docker inspect --format '{{.State.Pid}}' sleeper 2>/dev/null) || { echo "There is no container called sleeper."; exit 1; }
[ "$right" != 0 ] || { echo "sleeper does not run any more: docker start sleeper"; exit 1; }
[ -s "$HOME/pid" ] || { echo "There is nothing in ~/pid yet: the number of sleeper's first process, seen from out here."; exit 1; }
said=$(tr -d ' \n' < "$HOME/pid")
[ "$said" = "$right" ] || { echo "~/pid says $(head -c 30 "$HOME/pid"), but it is another process. Ask again: docker inspect"; exit 1; }
[ "$(readlink "/proc/$right/ns/pid")" != "$(readlink /proc/self/ns/pid)" ] || { echo "Process $right is not in namespaces of its own."; exit 1; }
echo "Process $right out here is process 1 in there."
