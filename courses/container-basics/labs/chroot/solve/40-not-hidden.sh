#!/bin/bash
PATH=/usr/sbin:/usr/bin:/sbin:/bin
setsid sleep 5000 >/dev/null 2>&1 &
mkdir -p /srv/small/proc
mount -t proc proc /srv/small/proc
chroot /srv/small /bin/bash -c "ps -p $! -o pid= > /number; kill \$(cat /number)"
