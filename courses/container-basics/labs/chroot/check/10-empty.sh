shell=/bin/bash
[ -x $shell ] || shell=/bin/busybox
[ -d /srv/small ] || { echo "There is no directory /srv/small yet."; exit 1; }
[ -f /srv/small$shell ] || { echo "/srv/small has no $shell yet: copy $shell there."; exit 1; }
[ -x /srv/small$shell ] || { echo "/srv/small$shell is there, but may not be executed: chmod +x."; exit 1; }
echo "The shell is in its place."
