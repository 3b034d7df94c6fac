docker rm --force web >/dev/null 2>&1
docker run --detach --name web --publish 8000:8000 hello:1
