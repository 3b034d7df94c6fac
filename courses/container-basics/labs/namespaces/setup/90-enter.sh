#!/bin/bash
PATH=/usr/sbin:/usr/bin:/sbin:/bin
# A guest in namespaces of its own, with a word in a mount that only it sees. It does nothing but sleep, under its own name.
cp /usr/bin/sleep /usr/local/bin/guest
cat > /tmp/guest.sh <<'END'
mount -t tmpfs guest /mnt
echo "$LAB_WORD" > /mnt/word
hostname guest
exec env -i /usr/local/bin/guest infinity
END
setsid unshare --pid --fork --mount-proc --mount --uts --ipc bash /tmp/guest.sh >/dev/null 2>&1 &
for _ in {1..50}; do
    [ -s "/proc/$(pgrep guest)/root/mnt/word" ] && exit 0
    sleep 0.1
done
echo "The guest did not come up."
exit 1
