fetch() { timeout 4 wget -q -O - "$1" 2>&1; }
state=$(docker inspect --format '{{.State.Status}} {{.Config.Image}}' web 2>/dev/null) || { echo "There is no container called web."; exit 1; }
case $state in
    "running hello:"*) ;;
    running*) echo "web runs, but from the image ${state#* }."; exit 1 ;;
    *) echo "web is ${state%% *}: docker logs web says why."; exit 1 ;;
esac
page=$(fetch http://127.0.0.1:8000/) || { echo "Nobody answers at port 8000 of the session: --publish 8000:8000"; exit 1; }
case $page in
    *changed*) echo "web serves the changed page: remove the container, and start it anew."; exit 1 ;;
    *seat*) echo "web answers at port 8000: $page" ;;
    *) echo "Port 8000 answers with something else: $(echo "$page" | head -c 200)"; exit 1 ;;
esac
