layers() { docker image inspect --format '{{range .RootFS.Layers}}{{println .}}{{end}}' "$1" 2>/dev/null; }
layers hello:1 > /dev/null || { echo "There is no image hello:1."; exit 1; }
layers hello:2 > /dev/null || { echo "There is no image hello:2 yet."; exit 1; }
one=$(layers hello:1) two=$(layers hello:2)
[ "$one" != "$two" ] || { echo "hello:1 and hello:2 are the same: change index.html before you build."; exit 1; }
first=$(echo "$one" | head -n 1)
[ "$first" = "$(echo "$two" | head -n 1)" ] || { echo "hello:1 and hello:2 have no layer in common. Are both FROM sandlot/starter?"; exit 1; }
shared=0
for layer in $one; do
    case $two in *$layer*) shared=$((shared + 1)) ;; esac
done
echo "hello:1 and hello:2 share $shared of $(echo "$two" | grep -c .) layers."
