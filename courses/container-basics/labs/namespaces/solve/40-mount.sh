setsid /usr/bin/unshare --mount sh -c 'mount -t tmpfs mine /mnt; echo "for my eyes only" > /mnt/note; exec sleep 3600' >/dev/null 2>&1 &
until [ -s /proc/$!/root/mnt/note ]; do sleep 0.1; done
