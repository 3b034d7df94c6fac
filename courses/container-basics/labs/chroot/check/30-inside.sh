if [ -f /srv/small/greeting ]; then
    [ -s /srv/small/greeting ] || { echo "/srv/small/greeting is there, but empty: write something into it."; exit 1; }
    echo "Outside it is /srv/small/greeting, and it says: $(head -n 1 /srv/small/greeting)"
    exit 0
fi
if [ -f /greeting ]; then
    echo "There is a /greeting in the real root: it was written outside. Go in first, with: chroot /srv/small /bin/bash"
else
    echo "There is no file greeting in /srv/small yet. Inside, write to /greeting."
fi
exit 1
