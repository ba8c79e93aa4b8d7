#!/usr/bin/env bash
# Fetches those of the named programs that are missing: fetch-tools.sh docker-registry|skopeo|htpasswd|openssl|systemd-analyze|
# systemd-nspawn|mmdebstrap|valgrind|buildah|git|busybox...
#
# docker-registry is only unpacked, into tests/.cache: installing its package would start a service.
# The others come by apt-get install; none of them starts anything.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cache=$PWD/tests/.cache
export DEBIAN_FRONTEND=noninteractive

say() { echo "fetch-tools: $*" >&2; }

as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        say "only root can do this, and there is no sudo: $*"
        return 1
    fi
}

# A new machine has no package lists and an old one has stale ones; only a failure tells.
with_fresh_lists() {
    "$@" || { as_root apt-get update --quiet && "$@"; }
}

need_apt() {
    command -v apt-get >/dev/null && return
    say "$1 is missing, and there is no apt-get to fetch Debian's package $2: $3"
    exit 1
}

install_package() {
    need_apt "$1" "$2" "install it and come again"
    say "installing Debian's package $2 for $1"
    with_fresh_lists as_root apt-get install --yes --quiet --no-install-recommends \
        -o DPkg::Lock::Timeout=120 "$2" </dev/null >&2 && return
    say "$1 is missing: install Debian's package $2 and come again"
    exit 1
}

unpack_docker_registry() {
    need_apt docker-registry docker-registry "point BASEWATCH_TEST_DOCKER_REGISTRY at the program"
    say "unpacking Debian's package docker-registry into tests/.cache"
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/unpack.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    (
        cd "$work"
        # The user that apt-get downloads as could not write here.
        with_fresh_lists apt-get download --quiet -o APT::Sandbox::User=root docker-registry </dev/null >&2
        dpkg-deb -x docker-registry_*.deb .
    )
    # By a rename, so that nobody ever meets half a program.
    mv -f "$work/usr/bin/docker-registry" "$cache/docker-registry"
}

for program in "$@"; do
    case $program in
    docker-registry)
        [[ -n ${BASEWATCH_TEST_DOCKER_REGISTRY:-} || -x $cache/docker-registry ]] || unpack_docker_registry
        ;;
    htpasswd) command -v htpasswd >/dev/null || install_package htpasswd apache2-utils ;;
    systemd-analyze) command -v systemd-analyze >/dev/null || install_package systemd-analyze systemd ;;
    systemd-nspawn) command -v systemd-nspawn >/dev/null || install_package systemd-nspawn systemd-container ;;
    busybox) [[ -x /bin/busybox ]] || install_package busybox busybox-static ;;
    skopeo | openssl | valgrind | mmdebstrap | buildah | git)
        command -v "$program" >/dev/null || install_package "$program" "$program"
        ;;
    *)
        say "unknown program: $program"
        exit 2
        ;;
    esac
done
