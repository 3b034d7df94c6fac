for program in ls cat ps id; do
    if [ ! -e /srv/small/bin/$program ]; then
        echo "/srv/small/bin/$program is missing."
        exit 1
    fi
    said=$(chroot /srv/small /bin/$program --help 2>&1)
    # 126 and 127: it did not start. Other failures are its own: ps, for one, misses /proc.
    if [ $? -ge 126 ]; then
        echo "$program is there, but does not start. It says:"
        echo "$said"
        exit 1
    fi
done
echo "ls, cat, ps and id all start in there."
