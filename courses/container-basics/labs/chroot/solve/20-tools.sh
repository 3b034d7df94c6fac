#!/bin/bash
for program in ls cat ps id; do
    file=$(command -v $program)
    cp "$file" /srv/small/bin/
    ldd "$file" | grep -o '/[^ ]*' | xargs cp --parents --dereference --target-directory=/srv/small
done
