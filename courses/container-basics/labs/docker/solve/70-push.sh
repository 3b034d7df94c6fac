docker tag hello:2 "registry:5000/class/hello-$LAB_SEAT:2"
docker push "registry:5000/class/hello-$LAB_SEAT:2"
