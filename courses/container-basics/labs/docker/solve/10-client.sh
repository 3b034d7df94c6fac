docker rm --force first >/dev/null 2>&1
docker run --name first sandlot/starter echo hello
