cd /srv/clone || exit 1
[ ! incontainer.c -nt incontainer ] || { echo "incontainer.c is newer than the program: gcc -Wall -o incontainer incontainer.c"; exit 1; }
said=$(echo 'echo "$$ $(ls -d /proc/[0-9]* | wc -l) $(hostname)"' | timeout 5 ./incontainer 2>&1 | tail -n 1)
set -- $said
case $1 in
    1) ;;
    *[!0-9]*|'') echo "The program started no shell that answers. It says: $said"; exit 1 ;;
    *) echo "In there the shell has the number $1, and should be 1: CLONE_NEWPID"; exit 1 ;;
esac
[ "$3" = incontainer ] || { echo "In there the host is called $3 now, and should still be incontainer."; exit 1; }
[ "$2" -lt 5 ] || { echo "The shell is process 1, but /proc shows $2 processes: a new proc must be mounted at /proc, by the child."; exit 1; }
if [ ! -d /proc/self ]; then
    echo "Out here /proc does not show this process any more: the new proc was mounted over the old one. CLONE_NEWNS is missing."
    exit 1
fi
echo "Process 1 of $2, on a host called $3."
