cd /srv/clone || exit 1
[ ! incontainer.c -nt incontainer ] || { echo "incontainer.c is newer than the program: gcc -Wall -o incontainer incontainer.c"; exit 1; }
said=$(echo 'echo "$(hostname) $(readlink /proc/self/ns/user)"' | timeout 5 su student -c ./incontainer 2>&1 | tail -n 1)
case $said in
    "incontainer user:"*) ;;
    *"Operation not permitted"*) echo "As the student it still says: $said. CLONE_NEWUSER is missing."; exit 1 ;;
    *) echo "As the student it should start a shell on a host called incontainer. It says: $said"; exit 1 ;;
esac
[ "${said#* }" != "$(readlink /proc/self/ns/user)" ] || { echo "The child is in the session's own user namespace."; exit 1; }
echo "An ordinary user made a container of sorts: $said"
