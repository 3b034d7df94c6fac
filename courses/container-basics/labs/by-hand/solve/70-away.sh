#!/bin/bash
PATH=/usr/sbin:/usr/bin:/sbin:/bin
echo 1 > /sys/fs/cgroup/box/cgroup.kill
for _ in {1..80}; do
    ip link show to-box >/dev/null 2>&1 || break
    sleep 0.1
done
umount /box/root
umount /box
for group in /cgroup/*/box /sys/fs/cgroup/box; do
    for _ in {1..80}; do
        [ ! -d "$group" ] || rmdir "$group" 2>/dev/null || { sleep 0.1; continue; }
        break
    done
done
for tree in /cgroup/*; do
    [ ! -d "$tree" ] || umount "$tree"
done
rmdir /box
exit 0
