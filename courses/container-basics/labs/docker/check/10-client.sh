state=$(docker inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.Config.Image}}' first 2>&1) || {
    case $state in
        *"No such"*) echo "There is no container called first. (With --rm it would be gone again.)" ;;
        *) echo "The engine does not answer: $state" ;;
    esac
    exit 1
}
case $state in
    "exited 0 "*) echo "first has run and ended, from the image ${state##* }." ;;
    running*) echo "first is still running. Let it say hello and end."; exit 1 ;;
    *) echo "first ended with an error: $state"; exit 1 ;;
esac
