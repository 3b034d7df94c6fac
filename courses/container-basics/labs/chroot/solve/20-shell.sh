if [ -x /bin/bash ]; then
    /usr/bin/ldd /bin/bash | grep -o '/[^ ]*' | xargs /usr/bin/cp --parents --dereference --target-directory=/srv/small
else
    ln -sf busybox /srv/small/bin/sh
fi
