readlink /proc/self/ns/uts > "$HOME/uts"
