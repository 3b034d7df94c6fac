state=$(docker inspect --format '{{.HostConfig.Memory}} {{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}' hungry 2>/dev/null) || {
    echo "There is no container called hungry."
    exit 1
}
set -- $state
[ "$1" != 0 ] || { echo "hungry has no bound of memory: --memory 32m. (Remove it first: docker rm --force hungry)"; exit 1; }
[ "$2" = exited ] || { echo "hungry is $2. Has it met its bound?"; exit 1; }
[ "$3" = 137 ] || { echo "hungry ended with $3, not with 137: it has not met its bound."; exit 1; }
echo "Bounded to $(($1 / 1048576)) MiB, and ended by the kernel when it wanted more."
