#!/bin/bash
PATH=/usr/sbin:/usr/bin:/sbin:/bin
cat > /tmp/pivot.sh <<'END'
mount --bind /srv/small /srv/small
cd /srv/small
pivot_root . old
exec /bin/bash -c '
    mount -t proc proc /proc
    umount -l /old
    read -r _ < /pipe'
END
[ -p /srv/small/pipe ] || mkfifo /srv/small/pipe
setsid unshare --mount bash /tmp/pivot.sh >/dev/null 2>&1 &
for _ in {1..50}; do
    [ -e /proc/$!/root/escape ] && [ "$(wc -l < /proc/$!/mountinfo)" = 2 ] && exit 0
    sleep 0.1
done
exit 1
