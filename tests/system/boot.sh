#!/usr/bin/env bash
# A small Debian under a systemd of its own, in a container: for what only a real service manager shows.
#
#   boot.sh make ROOTFS                     a root filesystem with what the tests need, unless it is there; two minutes
#   boot.sh up ROOTFS NAME [OPTION...]      boots it, with more options for systemd-nspawn; two seconds
#   boot.sh sh NAME COMMAND...              runs a command in it, as root
#   boot.sh down NAME                       stops it, and forgets all that was written in it
#
# It needs root, systemd-nspawn and mmdebstrap, and neither systemd nor machined on the host. ROOTFS is never written
# to: each guest has an overlay in memory. The network is the host's, so that 127.0.0.1 is the same place in both.
# No controller of cgroups reaches the guest: MemoryMax=, TasksMax= and IPAddressDeny= are silently not enforced in it.
set -euo pipefail
state=${TMPDIR:-/tmp}/basewatch-guests

# Beside systemd: what the builds of the cases run, and what the cases ask with.
packages=systemd,systemd-sysv,dbus,ca-certificates,busybox-static,git,make,buildah,uidmap,jq

make_rootfs() {
    local rootfs=$1 new suite
    [[ $(cat "$rootfs/packages" 2>/dev/null) != "$packages" ]] || return 0
    if [[ -e $rootfs && ! -e $rootfs/packages ]]; then
        echo "boot.sh: $rootfs is there, and was not made by boot.sh: name another place" >&2
        return 1
    fi
    echo "boot.sh: making a root filesystem in $rootfs, which takes about two minutes" >&2
    # shellcheck source=/dev/null
    suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")
    mkdir -p "$(dirname "$rootfs")"
    new=$(mktemp -d "$rootfs.XXXXXX")
    # A guest of the host's own release: the program under test is linked with the libraries of the host. What is mounted
    # meanwhile, /proc above all, nobody else meets.
    if ! timeout 900 unshare --mount --propagation private mmdebstrap --quiet --variant=minbase --include="$packages" "$suite" "$new" </dev/null >&2; then
        rm -rf "$new"
        echo "boot.sh: mmdebstrap could not make a Debian $suite in $rootfs" >&2
        return 1
    fi
    # mktemp made it for root alone.
    chmod 0755 "$new"
    # Nobody logs in, and its network is not its own to set up.
    chroot "$new" systemctl --quiet mask getty.target console-getty.service systemd-networkd.service
    echo "$packages" >"$new/packages"
    # By a rename, so that nobody ever meets half a filesystem.
    rm -rf "$rootfs"
    mv -T "$new" "$rootfs"
}

up() {
    local rootfs=$1 name=$2
    shift 2
    mkdir -p "$state/$name"
    # Neither the host's systemd nor its machined is asked. The console is for nobody to type on.
    # shellcheck disable=SC2016 # the other bash is to expand them
    setsid --fork bash -c 'echo $$ >"$0/pid"; exec systemd-nspawn "$@"' "$state/$name" \
        --quiet --directory="$rootfs" --machine="$name" --register=no --keep-unit --volatile=overlay \
        --console=read-only "$@" --boot </dev/null >"$state/$name/console" 2>&1
    for _ in {1..300}; do
        ! is_up "$name" || return 0
        sleep 0.1
    done
    echo "boot.sh: $name did not boot within 30 seconds; the end of its console:" >&2
    tail -n 20 "$state/$name/console" >&2
    down "$name"
    return 1
}

# A unit that failed is no reason to wait: `degraded` is up, and a case that minds looks for itself.
is_up() {
    local is
    is=$(sh_in "$1" systemctl is-system-running 2>/dev/null || true)
    [[ $is == running || $is == degraded ]]
}

# The systemd-nspawn of a guest. Its id may be another process's by now.
nspawn_of() {
    local pid
    pid=$(cat "$state/$1/pid" 2>/dev/null) && [[ $(cat "/proc/$pid/comm" 2>/dev/null) == systemd-nspawn ]] && echo "$pid"
}

# The first process of a guest: the child of systemd-nspawn.
init_of() {
    local nspawn
    nspawn=$(nspawn_of "$1") && pgrep --parent "$nspawn" | head -n 1
}

sh_in() {
    local name=$1 init
    shift
    init=$(init_of "$name") || return 1
    [[ -n $init ]] || return 1
    nsenter --target "$init" --mount --uts --ipc --net --pid --cgroup --root -- \
        env -i --chdir=/ PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"
}

down() {
    local name=$1 nspawn init
    nspawn=$(nspawn_of "$name" || true)
    init=$(init_of "$name" || true)
    # To a systemd that is the first process this means: power off.
    [[ -z $init ]] || kill -s RTMIN+4 "$init" 2>/dev/null || true
    if [[ -n $nspawn ]] && ! has_ended "$nspawn" 20; then
        # The kernel ends all that is in a guest with its first process.
        [[ -z $init ]] || kill -KILL "$init" 2>/dev/null || true
        has_ended "$nspawn" 5 || kill -KILL "$nspawn" 2>/dev/null || true
    fi
    rm -rf "${state:?}/$name"
}

# has_ended PID SECONDS: waits at most so long for it.
has_ended() { timeout "$2" tail --pid="$1" --sleep-interval=0.1 -f /dev/null; }

usage() {
    sed -n 's/^#   //p' "$0" >&2
    exit 2
}

verb=${1:-}
(($# >= 2)) || usage
shift
case $verb in
make) make_rootfs "$1" ;;
up) (($# >= 2)) || usage && up "$@" ;;
sh) (($# >= 2)) || usage && sh_in "$@" ;;
down) down "$1" ;;
*) usage ;;
esac
