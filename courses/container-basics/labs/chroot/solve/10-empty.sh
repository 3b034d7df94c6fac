mkdir -p /srv/small/bin
cp /bin/bash /srv/small/bin/
