own=$(readlink /proc/self/ns/user)
student=$(id -u student)
seen=
for process in /proc/[0-9]*; do
    other=$(readlink "$process/ns/user" 2>/dev/null) || continue
    [ "$other" = "$own" ] && continue
    owner=$(awk '/^Uid:/ { print $3 }' "$process/status" 2>/dev/null)
    if [ "$owner" != "$student" ]; then
        seen="was not made by the student, but by user $owner"
        continue
    fi
    if awk -v student="$student" '$1 == 0 && $2 == student { found = 1 } END { exit !found }' "$process/uid_map"; then
        echo "Process ${process#/proc/}: root in there, user $student out here."
        exit 0
    fi
    seen="has no map that makes the student root: --map-root-user"
done
if [ -n "$seen" ]; then
    echo "There is a user namespace, but it $seen"
else
    echo "Nobody is in another user namespace. As the student: unshare --user --map-root-user bash. And leave it open."
fi
exit 1
