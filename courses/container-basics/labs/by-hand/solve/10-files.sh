mkdir -p /box
mount -t tmpfs box /box
mkdir /box/top /box/work /box/root
mount -t overlay box -o lowerdir=/,upperdir=/box/top,workdir=/box/work /box/root
echo "made in the box" > /box/root/etc/motd
rm /box/root/usr/bin/strace
