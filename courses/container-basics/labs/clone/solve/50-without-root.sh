cd /srv/clone
sed -i 's/CLONE_NEWUTS |/CLONE_NEWUSER | CLONE_NEWUTS |/' incontainer.c
/usr/bin/gcc -Wall -o incontainer incontainer.c
