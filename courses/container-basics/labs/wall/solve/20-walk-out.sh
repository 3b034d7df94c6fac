/usr/bin/gcc -Wall -static -o /srv/small/escape /root/escape.c
chroot /srv/small /escape -c 'touch /srv/escaped'
