#!/bin/bash
ldd /bin/bash | grep -o '/[^ ]*' | xargs cp --parents --dereference --target-directory=/srv/small
