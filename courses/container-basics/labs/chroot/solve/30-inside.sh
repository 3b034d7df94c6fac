chroot /srv/small /bin/bash -c 'echo "I was here" > /greeting'
