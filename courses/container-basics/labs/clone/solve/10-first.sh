cp /usr/local/src/lessons/incontainer.c /srv/clone/incontainer.c
/usr/bin/gcc -Wall -o /srv/clone/incontainer /srv/clone/incontainer.c
