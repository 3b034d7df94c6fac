#!/usr/bin/env bash
# Builds sandlot/bootcamp from images/bootcamp, by the engine that runs or, where none does, by one of its own. A base that no
# registry has is made here by debootstrap, from the mirror that this machine's packages come from.
# usage: make/bootcamp-image.sh DIRECTORY-OF-THE-PROGRAMS
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$1:$PATH

base=$(sed -n 's/^ARG BASE=//p' images/bootcamp/Dockerfile)
release=${base#*:} release=${release%-slim}

if ! sandlot image inspect "$base" >/dev/null 2>&1 && ! sandlot pull "$base"; then
    echo "no registry has $base: it is made by debootstrap"
    mirror=$(apt-get indextargets --format '$(CREATED_BY) $(RELEASE) $(REPO_URI)' |
        awk '$1 == "Packages" && $2 !~ /[-\/]/ { print $3; exit }')
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    debootstrap --variant=minbase "$release" "$work/root" ${mirror:+"$mirror"} >"$work/log" 2>&1 ||
        { tail -n 20 "$work/log" >&2; exit 1; }
    rm -rf "$work"/root/var/cache/apt/archives/*.deb "$work"/root/var/lib/apt/lists/*
    tar --create --numeric-owner --directory "$work/root" . | sandlot import - "$base"
fi
sandlot build --tag sandlot/bootcamp images/bootcamp
