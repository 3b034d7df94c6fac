[ ! -e /mnt/note ] || { echo "/mnt/note can be seen from the whole session: the tmpfs was mounted outside. umount /mnt, and begin with: unshare --mount bash"; exit 1; }
own=$(readlink /proc/self/ns/mnt)
seen=
for process in /proc/[0-9]*; do
    other=$(readlink "$process/ns/mnt" 2>/dev/null) || continue
    [ "$other" = "$own" ] && continue
    seen=yes
    grep -q ' /mnt tmpfs ' "$process/mounts" 2>/dev/null || continue
    seen=mounted
    [ -s "$process/root/mnt/note" ] || continue
    echo "Process ${process#/proc/} reads in its /mnt/note: $(head -n 1 "$process/root/mnt/note"). Nobody else does."
    exit 0
done
case $seen in
    mounted) echo "A tmpfs is mounted at /mnt in there. Now the note: echo something > /mnt/note" ;;
    yes) echo "There is a shell in a mount namespace of its own, but no tmpfs at its /mnt." ;;
    *) echo "Nobody is in another mount namespace. Make one, and leave its shell open." ;;
esac
exit 1
