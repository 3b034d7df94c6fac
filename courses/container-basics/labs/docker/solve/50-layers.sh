cd "$HOME/hello" || exit 1
echo "<h1>Hello again from seat $LAB_SEAT</h1>" > index.html
docker build -t hello:2 .
