docker rm --force hungry >/dev/null 2>&1
docker run --name hungry --memory 32m --pids-limit 10 --cpus 0.5 sandlot/starter tail /dev/zero
exit 0
