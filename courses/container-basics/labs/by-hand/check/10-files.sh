line=$(grep ' /box/root overlay ' /proc/mounts) || { echo "There is no overlay at /box/root yet."; exit 1; }
case $line in
    *upperdir=/box/top*) ;;
    *) echo "The overlay at /box/root has another top than /box/top."; exit 1 ;;
esac
[ -x /box/root/bin/bash ] || { echo "In /box/root there is no /bin/bash: what is below the overlay? lowerdir=/"; exit 1; }
[ -n "$(find /box/top -type f | head -n 1)" ] || { echo "The overlay is there. Now change something in /box/root: /box/top is still empty."; exit 1; }
echo "An image below, $(find /box/top ! -type d | wc -l) change(s) on top."
