#!/usr/bin/env bash
# Installs the Debian packages that `make run`, `make test`, `make bench` or `make bootcamp-image` need and that are not there.
# usage: make/setup.sh run|test|bench|bootcamp
set -euo pipefail

run=(busybox-static ca-certificates e2fsprogs gcc iproute2 libc6-dev nftables)
test=("${run[@]}" binutils buildah chromium cpio curl criu debootstrap docker-compose docker.io docker-registry podman python3-venv qemu-system-x86 skopeo systemd)
bootcamp=("${run[@]}" debootstrap)
bench=("${test[@]}" bubblewrap crun hyperfine jq runc shellinabox)

case "${1:-}" in
    run) wanted=("${run[@]}") ;;
    test) wanted=("${test[@]}") ;;
    bench) wanted=("${bench[@]}") ;;
    bootcamp) wanted=("${bootcamp[@]}") ;;
    *) echo "usage: make/setup.sh run|test|bench|bootcamp" >&2; exit 2 ;;
esac

missing=()
for package in "${wanted[@]}"; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

echo "installing: ${missing[*]}"
if [ "$(id -u)" != 0 ]; then
    echo "these Debian packages are missing; run as root, or: apt-get install ${missing[*]}" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# RUNLEVEL=1: the daemons that some of these packages bring (a registry, dockerd) are not started as services.
install() {
    RUNLEVEL=1 apt-get install --yes --quiet=2 --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}" \
        </dev/null >/dev/null
}
# The package lists are fetched only where the ones that are there do not do.
if ! install 2>/dev/null; then
    apt-get update --quiet=2 -o DPkg::Lock::Timeout=300 </dev/null
    install
fi
