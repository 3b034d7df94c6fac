trace=/srv/clone/trace
[ -s $trace ] || { echo "There is no file /srv/clone/trace yet."; exit 1; }
grep -q 'clone.*CLONE_NEWUTS' $trace || { echo "In trace there is no clone with CLONE_NEWUTS."; exit 1; }
grep -q 'sethostname("incontainer"' $trace || { echo "In trace there is no sethostname: with -f, strace follows the child."; exit 1; }
grep -q 'execve("/bin/bash"' $trace || { echo "In trace there is no execve of /bin/bash."; exit 1; }
flags=$(grep -o 'clone.*CLONE_NEWUTS.*' $trace | head -n 1 | sed 's/.*flags=//; s/[ ),}].*//')
echo "clone with $flags, then sethostname, then execve."
