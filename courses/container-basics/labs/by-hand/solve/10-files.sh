mkdir -p /box
grep -q " /box tmpfs " /proc/mounts || mount -t tmpfs box /box
mkdir -p /box/top /box/work /box/root
grep -q " /box/root overlay " /proc/mounts || mount -t overlay box -o lowerdir=/,upperdir=/box/top,workdir=/box/work /box/root
echo "made in the box" > /box/root/etc/motd
rm -f /box/root/usr/bin/strace
