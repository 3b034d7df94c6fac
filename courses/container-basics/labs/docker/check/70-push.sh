fetch() { timeout 4 wget -q -O - "$1" 2>&1; }
fetch http://registry:5000/v2/ >/dev/null || { echo "The registry does not answer at registry:5000. Does this class have one?"; exit 1; }
docker image inspect "registry:5000/class/hello-$LAB_SEAT:2" >/dev/null 2>&1 || {
    echo "No image here is called registry:5000/class/hello-$LAB_SEAT:2 yet: docker tag hello:2 registry:5000/class/hello-$LAB_SEAT:2"
    exit 1
}
tags=$(fetch "http://registry:5000/v2/class/hello-$LAB_SEAT/tags/list")
case $tags in
    *'"2"'*) echo "The registry has class/hello-$LAB_SEAT:2." ;;
    *) echo "It has its second name, but the registry has it not yet: docker push registry:5000/class/hello-$LAB_SEAT:2"; exit 1 ;;
esac
