[ -f "$HOME/hello/Dockerfile" ] || { echo "There is no ~/hello/Dockerfile yet."; exit 1; }
settings=$(docker image inspect --format '{{.Config.User}} {{.Config.WorkingDir}} {{json .Config.Cmd}}' hello:1 2>/dev/null) || {
    echo "There is no image hello:1 yet: docker build -t hello:1 ."
    exit 1
}
case $settings in
    " "*|"root "*|"0 "*) echo "The image's program would run as root: USER student"; exit 1 ;;
esac
case $settings in
    *httpd*) ;;
    *) echo "The image starts no web server. It starts: ${settings#* * }"; exit 1 ;;
esac
page=$(docker run --rm hello:1 cat index.html 2>/dev/null)
[ -n "$page" ] || { echo "In the image's working directory there is no index.html: WORKDIR, and then COPY index.html ."; exit 1; }
echo "hello:1 serves, as ${settings%% *}: $page"
