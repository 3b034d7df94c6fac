docker rm --force web neighbour >/dev/null 2>&1
docker rmi "registry:5000/class/hello-$LAB_SEAT:2" hello:2 2>/dev/null
docker run --detach --name neighbour --publish 8001:8000 "registry:5000/class/hello-$LAB_SEAT:2"
