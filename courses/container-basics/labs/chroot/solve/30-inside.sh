shell=/bin/bash
[ -x $shell ] || shell=/bin/sh
chroot /srv/small $shell -c 'echo "I was here" > /greeting'
