[ -d /srv/small ] || { echo "There is no directory /srv/small yet."; exit 1; }
[ -f /srv/small/bin/bash ] || { echo "/srv/small has no bin/bash yet: copy /bin/bash there."; exit 1; }
[ -x /srv/small/bin/bash ] || { echo "/srv/small/bin/bash is there, but may not be executed: chmod +x."; exit 1; }
echo "The shell is in its place. It does not start yet; that is the next step."
