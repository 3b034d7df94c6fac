for program in ls cat ps id; do
    if [ ! -x /srv/small/bin/$program ]; then
        echo "/srv/small/bin/$program is missing."
        exit 1
    fi
    said=$(chroot /srv/small /bin/$program --version 2>&1) || {
        echo "$program is there, but does not start. It says:"
        echo "$said"
        exit 1
    }
done
echo "ls, cat, ps and id all start in there."
