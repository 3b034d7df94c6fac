[ -f /root/denied ] || { echo "There is no file /root/denied yet: send the message of the last attempt there, with 2> ~/denied"; exit 1; }
grep -q "escape: chroot: Operation not permitted" /root/denied || {
    echo "/root/denied does not hold escape's own error. It should be: escape: chroot: Operation not permitted"
    echo "It is: $(head -n 1 /root/denied)"
    exit 1
}
echo "Without the right to chroot there is no way out by chroot."
