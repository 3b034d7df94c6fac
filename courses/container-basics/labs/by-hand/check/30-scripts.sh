for script in start inside; do
    [ -f /srv/box/$script ] || { echo "There is no /srv/box/$script yet."; exit 1; }
    [ -x /srv/box/$script ] || { echo "/srv/box/$script may not be executed: chmod +x"; exit 1; }
    said=$(/bin/bash -n /srv/box/$script 2>&1) || { echo "$said" | head -n 3; exit 1; }
done
for option in pid fork mount uts ipc net cgroup; do
    grep -q -- "--$option" /srv/box/start || { echo "/srv/box/start has no --$option."; exit 1; }
done
grep -q pivot_root /srv/box/inside || { echo "/srv/box/inside does not change the root: pivot_root"; exit 1; }
echo "Both scripts are there."
