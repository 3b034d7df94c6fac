cd /srv/clone || { echo "There is no directory /srv/clone."; exit 1; }
[ -x incontainer ] || { echo "There is no program /srv/clone/incontainer yet: gcc -Wall -o incontainer incontainer.c"; exit 1; }
[ ! incontainer.c -nt incontainer ] || { echo "incontainer.c is newer than the program: gcc -Wall -o incontainer incontainer.c"; exit 1; }
before=$(hostname)
said=$(echo 'echo "$(hostname) $(readlink /proc/self/ns/uts)"' | timeout 5 ./incontainer 2>&1 | tail -n 1)
after=$(hostname)
if [ "$after" != "$before" ]; then
    echo "Now the whole session is called $after: the child was not in a namespace of its own. CLONE_NEWUTS"
    exit 1
fi
case $said in
    "incontainer uts:"*) ;;
    *uts:*) echo "In there the host is called ${said% *}, and should be called incontainer."; exit 1 ;;
    '') echo "The program ends without a shell: is there an execv?"; exit 1 ;;
    *) echo "The program started no shell that answers. It says: $said"; exit 1 ;;
esac
[ "${said#* }" != "$(readlink /proc/self/ns/uts)" ] || { echo "The child is in the session's own UTS namespace."; exit 1; }
echo "In there incontainer, out here $after."
