cd /srv/clone
/usr/bin/strace -f -o trace -e trace=clone,clone3,sethostname,execve ./incontainer -c true
