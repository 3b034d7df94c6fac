[ -x /srv/small/bin/bash ] || { echo "/srv/small/bin/bash is missing: that was the first step."; exit 1; }
said=$(chroot /srv/small /bin/bash -c 'echo started' 2>&1)
case $said in
    started) echo "bash starts with /srv/small as its root." ;;
    *"error while loading shared libraries"*)
        echo "The loader is there, a library is not. It says:"
        echo "$said"
        exit 1 ;;
    *)
        echo "bash does not start in /srv/small. If the message is \"No such file or directory\", the loader is missing:"
        /usr/bin/ldd /bin/bash | grep -v '=>' | grep -o '/[^ ]*'
        exit 1 ;;
esac
