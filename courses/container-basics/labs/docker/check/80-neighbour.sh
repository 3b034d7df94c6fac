state=$(docker inspect --format '{{.State.Status}} {{.Config.Image}} {{.Image}}' neighbour 2>/dev/null) || { echo "There is no container called neighbour."; exit 1; }
set -- $state
case $2 in
    registry:5000/*) ;;
    *) echo "neighbour was made of $2. Its image should come from registry:5000/…"; exit 1 ;;
esac
[ "$1" = running ] || { echo "neighbour is $1: docker logs neighbour says why."; exit 1; }
digests=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$2" 2>/dev/null)
case $digests in
    *registry:5000/*) ;;
    *) echo "The image of neighbour did not come from the registry: it has no digest from there."; exit 1 ;;
esac
# An image that was built here and is still called so never had to be pulled.
for name in $(docker image inspect --format '{{range .RepoTags}}{{println .}}{{end}}' "$2"); do
    case $name in
        registry:5000/*) ;;
        *) echo "The image of neighbour is also called $name: it was built here. Remove both names (docker rmi), and run it from the registry."; exit 1 ;;
    esac
done
echo "$2 came from the registry, and runs here."
