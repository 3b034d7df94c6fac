setsid /usr/bin/unshare --user --map-root-user --time --boottime 31536000 --fork sleep 3600 >/dev/null 2>&1 &
until [ "$(cat "/proc/$(pgrep -P $!)/comm" 2>/dev/null)" = sleep ]; do sleep 0.1; done
