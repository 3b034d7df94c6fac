[ -s "$HOME/uts" ] || { echo "There is nothing in ~/uts yet."; exit 1; }
own=$(readlink /proc/self/ns/uts)
[ "$(head -n 1 "$HOME/uts")" = "$own" ] || { echo "~/uts holds $(head -c 40 "$HOME/uts"), but the session's UTS namespace is another one."; exit 1; }
echo "You are in $own."
