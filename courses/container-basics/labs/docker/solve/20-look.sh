docker rm --force sleeper >/dev/null 2>&1
docker run --detach --name sleeper sandlot/starter sleep 1000
docker inspect --format '{{.State.Pid}}' sleeper > "$HOME/pid"
