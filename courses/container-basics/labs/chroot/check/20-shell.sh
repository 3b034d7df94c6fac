shell=/bin/bash
[ -x $shell ] || shell=/bin/sh
if [ ! -e /srv/small/bin/bash ] && [ ! -e /srv/small/bin/busybox ]; then
    echo "/srv/small has no shell: that was the first step."
    exit 1
fi
said=$(chroot /srv/small $shell -c 'echo started' 2>&1)
case $said in
    started) echo "$shell starts with /srv/small as its root." ;;
    *"error while loading shared libraries"*)
        echo "The loader is there, a library is not. It says:"
        echo "$said"
        exit 1 ;;
    *)
        if [ $shell = /bin/sh ]; then
            echo "There is no /bin/sh in there yet: a link to busybox will do."
            exit 1
        fi
        echo "bash does not start in /srv/small. If the message is \"No such file or directory\", the loader is missing:"
        /usr/bin/ldd /bin/bash | grep -v '=>' | grep -o '/[^ ]*'
        exit 1 ;;
esac
