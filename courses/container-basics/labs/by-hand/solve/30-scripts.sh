mkdir -p /srv/box
cat > /srv/box/start <<'END'
#!/bin/bash
for group in /cgroup/*/box /sys/fs/cgroup/box; do
    [ ! -d $group ] || echo $$ > $group/cgroup.procs
done
exec unshare --pid --fork --kill-child --mount --uts --ipc --net --cgroup /srv/box/inside "$@"
END
cat > /srv/box/inside <<'END'
#!/bin/bash
hostname box
mount --make-rprivate /
cd /box/root
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount --rbind /dev dev
pivot_root . mnt
umount -l /mnt
ip link set lo up
cd /
exec "$@"
END
chmod +x /srv/box/start /srv/box/inside
