if [ ! -x /srv/small/escape ]; then
    echo "There is no program /srv/small/escape yet: gcc -Wall -static -o /srv/small/escape ~/escape.c"
    exit 1
fi
said=$(chroot /srv/small /escape -c 'test -e /usr/bin/gcc && echo out' 2>&1)
case $said in
    out) ;;
    *"No such file"*) echo "It does not start in there. Was it linked with -static? It says: $said"; exit 1 ;;
    *) echo "Started in /srv/small, escape does not come out. It says: $said"; exit 1 ;;
esac
if [ -e /srv/small/srv/escaped ]; then
    echo "There is /srv/small/srv/escaped: that was still inside the jail."
    exit 1
fi
[ -e /srv/escaped ] || { echo "escape works. Now use it: from the shell that it starts, touch /srv/escaped."; exit 1; }
echo "In by chroot, out by chroot. It was never a wall."
