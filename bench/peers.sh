# The rows of the table: each measures ours and its peers in turn. Sourced by run.sh, which gives $work, $bin, $rounds.

rootfs() { # a root of busybox, for peers that take a directory; made once
    [ -d "$work/root/bin" ] && return
    mkdir -p "$work"/root/{bin,dev,proc,sys,tmp,etc}
    cp /bin/busybox "$work/root/bin/"
    for tool in sh true; do ln "$work/root/bin/busybox" "$work/root/bin/$tool"; done
    echo 'root:x:0:0:root:/:/bin/sh' >"$work/root/etc/passwd"
    touch "$work"/root/etc/{hostname,hosts,resolv.conf}
}

ours() { # NAME COMMAND...: a spawner and an engine of ours below $work/NAME, started by COMMAND
    local name=$1
    shift
    mkdir "$work/$name"
    chmod 755 "$work/$name"
    SANDLOT_CGROUP_PARENT=$(basename "$work")-$name "$@" "$bin/sandlot" engine --on-stop end \
        --state "$work/$name/state" --run "$work/$name" --insecure-registry 127.0.0.1 >"$work/$name.log" 2>&1 &
    pids+=($!)
    until_up "$bin/sandlot" --host "unix://$work/$name/engine.sock" info
}

engine() { # the engine of most rows; made once
    [ -z "${SANDLOT_HOST:-}" ] || return 0
    ours ours
    export SANDLOT_HOST=unix://$work/ours/engine.sock
}

apart() { # COMMAND...: in a network namespace of its own, so that bridges and rules are not the host's
    exec unshare --net sh -c 'ip link set lo up; exec "$@"' sh "$@"
}

dockerd_up() { # Debian's dockerd in a network namespace of its own; made once
    [ -z "${DOCKER_HOST:-}" ] || return 0
    export DOCKER_HOST=unix://$work/docker.sock DOCKER_CONFIG=$work/docker
    mkdir -p "$work/docker" && echo "{}" >"$work/docker/config.json" # podman and skopeo look there, too
    apart dockerd --data-root "$work/docker-data" --exec-root "$work/docker-exec" --pidfile "$work/docker.pid" \
        --host "$DOCKER_HOST" --iptables=false >"$work/dockerd.log" 2>&1 &
    pids+=($!)
    until_up docker info
    tar -C "$work/root" -c . | docker import - bench >/dev/null
}

bundles() { # OCI bundles for crun, without a terminal: as `crun spec` writes it (grouped), without control groups (bare), and
    # with the walls that ours has besides: ids of its own, and podman's filter of system calls (walled)
    mkdir -p "$work/bare" "$work/grouped" "$work/walled"
    (cd "$work/grouped" && crun spec)
    jq --arg root "$work/root" --arg group "/$(basename "$work")-crun" '.process.terminal = false | .process.args = ["true"]
        | .root.path = $root | .linux.cgroupsPath = $group' "$work/grouped/config.json" >"$work/config.json"
    jq '.linux.cgroupsPath = "" | del(.linux.resources)' "$work/config.json" >"$work/bare/config.json"
    mv "$work/config.json" "$work/grouped/config.json"
    jq --slurpfile filter /usr/share/containers/seccomp.json '.linux.namespaces += [{"type": "user"}]
        | .linux.uidMappings = [{"containerID": 0, "hostID": 200000, "size": 65536}] | .linux.gidMappings = .linux.uidMappings
        | .linux.seccomp = {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
            "syscalls": [$filter[0].syscalls[] | select(.action == "SCMP_ACT_ALLOW" and (.includes == {} or any(.includes.arches[]?; . == "amd64"))) | {names, action, args}]}' \
        "$work/grouped/config.json" >"$work/walled/config.json"
}

crun_run() { # MANAGER BUNDLE: its median; it refuses to look at a mix of versions 1 and 2: the second is hidden from it
    export -f timed median
    export work rounds
    unshare --mount bash -c 'umount -l /sys/fs/cgroup/unified 2>/dev/null
        timed "crun-$2" crun --root "$work/crun" "--cgroup-manager=$1" run --bundle "$work/$2" bench' bash "$1" "$2"
}

median() { # FILE: the median of hyperfine's one result, in milliseconds
    jq '.results[0].median * 1000 * 100 | round / 100' "$1"
}

timed() { # NAME COMMAND...: the median time of a whole process; "-" if the command fails here
    local name=$1
    shift
    if hyperfine --shell=none --warmup 3 --runs "$rounds" --export-json "$work/$name.json" "$*" >"$work/$name.log" 2>&1; then
        median "$work/$name.json"
    else
        echo "bench: $name failed: $("$@" 2>&1 | tail -1)" >&2
        echo -
    fi
}

row_start() {
    rootfs
    engine
    bundles
    local ours bwrap crun walled bare docker
    ours=$(timed ours "$bin/sandlot" run --rm --network none sandlot/starter true)
    bwrap=$(timed bwrap bwrap --unshare-all --bind "$work/root" / --proc /proc --dev /dev --tmpfs /tmp true)
    crun=$(crun_run cgroupfs grouped)
    walled=$(crun_run cgroupfs walled)
    bare=$(crun_run disabled bare)
    dockerd_up
    docker=$(rounds=$((rounds / 5 + 1)) timed docker docker run --rm --network=none bench true)
    row 'run --rm --network none IMAGE true, ms' "$ours" '' ''
    row '  bubblewrap, all namespaces' "$bwrap" "$(ratio "$ours" "$bwrap")" 'of ours to it; wanted: at most 1.5'
    row '  crun run, with control groups' "$crun" "$(ratio "$crun" "$ours")" 'of it to ours; wanted: at least 4'
    row '  crun run, with user namespace and filter as well' "$walled" "$(ratio "$walled" "$ours")" 'of it to ours; wanted: at least 4'
    row '  crun run, without' "$bare" "$(ratio "$bare" "$ours")" 'of it to ours'
    row '  docker run --network=none' "$docker" "$(ratio "$docker" "$ours")" 'of it to ours; wanted: at least 30'
}

row_docker() { # the same client, first against our engine, then against dockerd, each in a network namespace of its own
    rootfs
    ours apart apart
    dockerd_up
    local network ours docker wanted
    for network in none bridge; do
        ours=$(timed "client-$network" docker --host "unix://$work/apart/engine.sock" run --rm --network "$network" sandlot/starter true)
        docker=$(rounds=$((rounds / 5 + 1)) timed "dockerd-$network" docker run --rm --network "$network" bench true)
        wanted=$([ "$network" = none ] && echo 4 || echo 5)
        row "docker run --rm --network $network IMAGE true, ms" "$ours" '' ''
        row '  the same client against dockerd' "$docker" "$(ratio "$docker" "$ours")" "of it to ours; wanted: at least $wanted"
    done
}

limit() { # run|pty: the median of the least that a container can cost
    rootfs
    [ -x "$work/limit" ] || gcc -O2 -o "$work/limit" bench/limit.c
    mkdir -p "$work/scratch"
    "$work/limit" "$work/root" "$work/scratch" "$rounds" "$1" | cut -d' ' -f1
    rm -rf "$work/scratch"
}

row_prompt() {
    local ours ready least
    ours=$(measure engine prompt "$rounds" | cut -d' ' -f1)
    ready=$(measure engine ready "$rounds" | cut -d' ' -f1)
    least=$(limit pty)
    row 'cold clone to the first byte of a prompt, in the engine, ms' "$ours" '' ''
    row '  the same from a blank, which was begun before' "$ready" '' ''
    row '  the same system calls and nothing else (bench/limit.c)' "$least" "$(ratio "$ours" "$least")" 'of ours to it; wanted: at most 1.3'
}

row_burst() {
    local ours
    ours=$(measure engine burst 100 | cut -d' ' -f2)
    row 'containers a second, one after the other, 100' "$ours" '' 'wanted: above 150'
}

image() { # HOST:PORT: pushes an image of four layers of Debian there
    local base="$work/layers/1" n=2 package
    mkdir -p "$work/layers" "$work/packages"
    debootstrap --variant=minbase bookworm "$base" >"$work/debootstrap.log" 2>&1
    (cd "$work/packages" && apt-get download --quiet=2 gcc-12 cpp-12 g++-12 libstdc++-12-dev libgcc-12-dev binutils-x86-64-linux-gnu \
        git perl-modules-5.36 libperl5.36 libpython3.11-stdlib libpython3.11-dev vim-runtime libicu72 >/dev/null)
    for package in "$work/packages"/*.deb; do
        dpkg-deb --extract "$package" "$work/layers/$((n % 3 + 2))"
        n=$((n + 1))
    done
    local container builder=(buildah --root "$work/buildah" --runroot "$work/buildah-run" --storage-driver vfs)
    container=$("${builder[@]}" from scratch)
    for n in 1 2 3 4; do
        "${builder[@]}" copy --quiet "$container" "$work/layers/$n" / >/dev/null
        "${builder[@]}" commit --quiet --rm "$container" "bench:$n" >/dev/null
        container=$("${builder[@]}" from "bench:$n")
    done
    "${builder[@]}" push --quiet --tls-verify=false bench:4 "docker://$1/bench:latest" >/dev/null
    rm -rf "$work/buildah" "$work/buildah-run" "$work/layers" "$work/packages"
}

registry() { # [NAME]: Debian's docker-registry on a free port, kept below $work/NAME; sets $host to HOST:PORT
    local name=${1:-registry} port=$((20000 + RANDOM % 10000))
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
    cat >"$work/$name.yml" <<Y
version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: $work/$name } }
http: { addr: "127.0.0.1:$port" }
Y
    docker-registry serve "$work/$name.yml" >"$work/$name.log" 2>&1 &
    pids+=($!)
    host=127.0.0.1:$port
    until_up curl --silent --fail "http://$host/v2/"
}

seconds() { # COMMAND...: how long it takes; fails if it does
    local from to
    from=$(date +%s.%N)
    "$@" >"$work/seconds.log" 2>&1 || { tail -1 "$work/seconds.log" >&2; echo -; return; }
    to=$(date +%s.%N)
    awk -v a="$from" -v b="$to" 'BEGIN { printf "%.2f\n", b - a }'
}

middle() { sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }

row_pull() {
    local host ours podman skopeo
    engine
    registry
    image "$host"
    local size
    size=$(du -sm "$work/registry" | cut -f1)
    local -a storage=(podman --root "$work/podman" --runroot "$work/podman-run")
    ours=$(for _ in 1 2 3; do
        seconds "$bin/sandlot" pull --quiet "$host/bench"
        "$bin/sandlot" rmi "$host/bench" >/dev/null
    done | middle)
    podman=$(for _ in 1 2 3; do
        seconds "${storage[@]}" pull --quiet --tls-verify=false "$host/bench"
        "${storage[@]}" rmi --force "$host/bench" >/dev/null
    done | middle)
    skopeo=$(for _ in 1 2 3; do
        rm -rf "$work/copied"
        seconds skopeo copy --quiet --src-tls-verify=false "docker://$host/bench" "dir:$work/copied"
    done | middle)
    row "pull of 4 layers, $size MB compressed, to ready-to-run, s" "$ours" '' ''
    row '  podman pull' "$podman" "$(ratio "$podman" "$ours")" 'of it to ours; wanted: at least 2'
    row '  skopeo copy to a directory, nothing unpacked' "$skopeo" "$(ratio "$skopeo" "$ours")" 'of it to ours; wanted: above 1'
}

row_serve() { # by turns, as both share what the machine has to give
    local theirs ours port=$((30000 + RANDOM % 10000)) n
    local -a pull=(skopeo copy --quiet --src-tls-verify=false) times=() peers=()
    engine
    registry served
    theirs=$host
    image "$theirs"
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
    SANDLOT_ADMIN_TOKEN=the-token-of-a-bench "$bin/sandlot-server" --listen "127.0.0.1:$port" --state "$work/web" \
        --engine "unix://$work/ours/server.sock" --pool-count 0 >"$work/web.log" 2>&1 &
    pids+=($!)
    until_up curl --silent --fail "http://127.0.0.1:$port/readyz"
    ours=127.0.0.1:$port/class/bench
    "${pull[@]}" --dest-tls-verify=false --dest-creds=bench:the-token-of-a-bench "docker://$theirs/bench" "docker://$ours"
    for n in 1 2 3 4 5; do
        rm -rf "$work/copied"
        times+=("$(seconds "${pull[@]}" --src-creds=bench:the-token-of-a-bench "docker://$ours" "dir:$work/copied")")
        rm -rf "$work/copied"
        peers+=("$(seconds "${pull[@]}" "docker://$theirs/bench" "dir:$work/copied")")
    done
    ours=$(printf '%s\n' "${times[@]}" | middle)
    theirs=$(printf '%s\n' "${peers[@]}" | middle)
    row 'pull by skopeo out of our registry, to a directory, s' "$ours" '' ''
    row '  out of docker-registry' "$theirs" "$(ratio "$theirs" "$ours")" 'of it to ours; wanted: at least 1'
}

row_push() { # each time to a registry that has nothing
    local host from size ours skopeo n
    engine
    registry pushed
    from=$host
    image "$from"
    size=$(du -sm "$work/pushed" | cut -f1)
    "$bin/sandlot" pull --quiet "$from/bench" >/dev/null
    skopeo copy --quiet --src-tls-verify=false "docker://$from/bench" "dir:$work/directory"
    ours=$(for n in 1 2 3; do
        registry "ours-$n"
        "$bin/sandlot" tag "$from/bench" "$host/bench"
        seconds "$bin/sandlot" push --quiet "$host/bench"
        kill $! && rm -rf "$work/ours-$n"
    done | middle)
    skopeo=$(for n in 1 2 3; do
        registry "theirs-$n"
        seconds skopeo copy --quiet --dest-tls-verify=false "dir:$work/directory" "docker://$host/bench"
        kill $! && rm -rf "$work/theirs-$n"
    done | middle)
    row "push of 4 layers, $size MB compressed, s" "$ours" '' ''
    row '  skopeo copy from a directory' "$skopeo" "$(ratio "$skopeo" "$ours")" 'of it to ours; wanted: above 1'
}

row_build() { # six instructions; buildah with the isolation and the storage that are its fastest, and its cache
    local cold again their_cold their_again context=$work/context
    local -a builder=(buildah --root "$work/bud" --runroot "$work/bud-run" --storage-driver overlay bud --isolation chroot --layers --quiet)
    rootfs
    engine
    mkdir -p "$context"
    head -c 1000000 /dev/urandom >"$context/data"
    printf '%s\n' 'FROM bench-base' 'WORKDIR /work' 'COPY data .' 'RUN wc -c data > size' 'RUN md5sum data > sum' 'CMD ["cat", "size", "sum"]' >"$context/Dockerfile"
    mkdir -p "$work/from" && cp -a "$work/root" "$work/from/" && printf 'FROM scratch\nCOPY root /\nENV PATH=/bin\n' >"$work/from/Dockerfile"
    for tool in wc md5sum cat; do ln -f "$work/from/root/bin/busybox" "$work/from/root/bin/$tool"; done
    "$bin/sandlot" build --quiet --tag bench-base "$work/from" >/dev/null
    "${builder[@]}" --tag bench-base "$work/from" >/dev/null
    cold=$(timed build "$bin/sandlot" build --quiet --no-cache --tag bench-built "$context")
    again=$(timed rebuild "$bin/sandlot" build --quiet --tag bench-built "$context")
    their_cold=$(timed bud "${builder[@]}" --no-cache --tag bench-built "$context")
    their_again=$(timed rebud "${builder[@]}" --tag bench-built "$context")
    row 'a Dockerfile of six instructions, cold, ms' "$cold" '' ''
    row '  buildah bud' "$their_cold" "$(ratio "$their_cold" "$cold")" 'of it to ours; wanted: at least 3'
    row 'the same, all of it in the cache, ms' "$again" '' ''
    row '  buildah bud' "$their_again" "$(ratio "$their_again" "$again")" 'of it to ours; wanted: at least 5'
}

row_flood() {
    local ours raw box
    ours=$(measure server flood 100)
    raw=$(measure server raw 100)
    box=$(measure server shellinabox 100)
    row 'cat of 100 MB through pty and WebSocket, MB/s' "$ours" '' ''
    row '  one thread that reads a raw pty' "$raw" "$(ratio "$ours" "$raw")" 'of ours to it; wanted: at least 0.6'
    row '  shellinabox' "$box" "$(ratio "$ours" "$box")" 'of ours to it; wanted: above 1'
    ours=$(measure server recorded 100)
    row '  the same, recorded' "$ours" "$(ratio "$ours" "$raw")" 'of it to a raw pty; wanted: at least 0.4'
}

row_interrupt() {
    local ours
    ours=$(measure server interrupt 20)
    row 'Ctrl-C in a flood that is shown, to the prompt, longest of 20, ms' "$ours" '' 'wanted: within 100'
}

crowd=${SANDLOT_BENCH_SESSIONS:-1000}

on_disk() { # ARGUMENTS...: not on the tmpfs: the disks of sessions are files, and must not count as memory
    TMPDIR=${SANDLOT_BENCH_DIR:-/tmp} measure server "$@"
}

row_idle() {
    local mib
    read -ra mib <<<"$(on_disk idle "$crowd")"
    row "an idle session of $crowd, memory of everything, MiB" "${mib[0]}" '' "${mib[1]} of it our processes'; wanted: under 1"
    row '  after 1,000 full lines on each terminal' "${mib[2]}" '' "${mib[3]} of it our processes'; wanted: under 1.5"
}

row_echo() {
    local one many
    read -ra one <<<"$(measure server echo 1000)"
    read -ra many <<<"$(on_disk echo 1000 "$crowd")"
    row 'echo of a typed byte, one terminal, ms' "${one[0]}" '' "p99 ${one[1]}; wanted: p50 under 0.3"
    row "  beside $crowd sessions that receive a line a second" "${many[0]}" "$(ratio "${many[0]}" "${one[0]}")" "p99 ${many[1]}; wanted: under 20"
}

row_stay() {
    local more
    read -ra more <<<"$(on_disk stay "$crowd")"
    row "$crowd sessions for ${SANDLOT_BENCH_STAY:-600} s, then ended: server's memory, %" "${more[0]}" '' 'more than at the start; wanted: at most 15'
    row "  the engine's, %" "${more[1]}" '' 'likewise; nothing else is left, or this fails'
}

row_sessions() {
    local warm cold class
    read -ra warm <<<"$(measure server warm "$rounds")"
    read -ra cold <<<"$(measure server cold "$rounds")"
    class=$(measure server class 100)
    row 'POST /sessions to the echo of a typed byte, ready, ms' "${warm[0]}" '' "p99 ${warm[1]}; wanted: under 5, p99 under 25"
    row '  the same, cold, image present, ms' "${cold[0]}" '' "p99 ${cold[1]}; wanted: under 25"
    row '  100 at once, all of them announced, ms' "$class" '' 'wanted: under 1500'
}
