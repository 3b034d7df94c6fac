own=$(readlink /proc/self/ns/mnt)
nearly=
for process in /proc/[0-9]*; do
    other=$(readlink "$process/ns/mnt" 2>/dev/null) || continue
    [ "$other" = "$own" ] && continue
    [ -e "$process/root/escape" ] || { nearly=${nearly:-namespace}; continue; }
    others=$(awk '$5 != "/" && $5 != "/proc" { print $5; exit }' "$process/mountinfo" 2>/dev/null)
    if [ -n "$others" ]; then
        nearly="still has something mounted at $others"
        continue
    fi
    grep -q ' / / \| /srv/small / ' "$process/mountinfo" 2>/dev/null || continue
    echo "Process ${process#/proc/} has a root that nothing lies above. There is nowhere to walk to."
    exit 0
done
case $nearly in
    '') echo "No process is in another mount namespace. Begin with: unshare --mount bash. And leave the shell open." ;;
    namespace) echo "There is a shell in a mount namespace of its own, but its root is not the small one yet." ;;
    *) echo "There is a shell with the small root, but it $nearly: the old root must go. umount -l /old" ;;
esac
exit 1
