/usr/sbin/chroot --userspec=65534:65534 --groups= /srv/small /escape 2> /root/denied
[ -s /root/denied ]
