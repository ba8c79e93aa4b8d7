#!/usr/bin/env bash
# basewatch under a real systemd: boots a guest (see boot.sh), installs basewatch in it, and runs the cases.
#
#   run.sh [CASE...]       all of cases/*.sh unless some are named
#
# $BASEWATCH names another program than the one it would compile; $BASEWATCH_TEST_ROOTFS another place for the guest's
# root filesystem than tests/.cache/rootfs. Of a case that fails its output and the guest's journal are printed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tests/bin/registry.sh
source tests/system/wait.sh

rootfs=$(realpath --canonicalize-missing "${BASEWATCH_TEST_ROOTFS:-tests/.cache/rootfs}")
guest=basewatch-$$
registry_pid=

main() {
    ((EUID == 0)) || fail "only root can boot a guest: sudo env BASEWATCH=target/debug/basewatch $0"
    tests/bin/fetch-tools.sh docker-registry skopeo systemd-nspawn mmdebstrap
    [[ -n ${BASEWATCH:-} ]] || BASEWATCH=$(compile)
    work=$(mktemp -d "${TMPDIR:-/tmp}/basewatch-system.XXXXXX")
    trap leave_nothing EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP

    tests/system/boot.sh make "$rootfs"
    deadline=$((SECONDS + 60))
    start_registry "$work/registry"
    push_image base:1 1
    tests/system/boot.sh up "$rootfs" "$guest"
    install_in_guest
    (($# > 0)) || set -- tests/system/cases/*.sh
    run_cases "$@"
}

# The dev profile: no optimising of the whole program to wait for, and the tests use the same artefacts.
compile() {
    cargo build --locked --bin basewatch --message-format=json-render-diagnostics </dev/null |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p'
}

in_guest() { timeout 60 tests/system/boot.sh sh "$guest" "$@"; }

# As a package would: its files, the users, and systemd told. Without what a debugger wants, as they go into memory.
install_in_guest() {
    mkdir -p "$work/target/release"
    objcopy --strip-debug "$BASEWATCH" "$work/target/release/basewatch"
    CARGO_TARGET_DIR=$work/target make --silent install DESTDIR="$work/installed" PREFIX=/usr
    tar -C "$work/installed" --owner=root:0 --group=root:0 -c . | in_guest tar -x --no-overwrite-dir -C /
    in_guest systemd-sysusers </dev/null
    in_guest systemctl daemon-reload </dev/null
}

run_cases() {
    local case failed=0
    for case in "$@"; do
        run_case "$(basename "$case" .sh)" || failed=$((failed + 1))
    done
    ((failed == 0)) || fail "$failed of $# cases failed"
}

run_case() {
    local name=$1 began
    [[ -r tests/system/cases/$name.sh ]] || fail "there is no case $name in tests/system/cases"
    clean_guest
    began=$(date +%s)
    if BASEWATCH_GUEST=$guest BASEWATCH_REGISTRY=$registry BASEWATCH_REGISTRY_DIRECTORY=$work/registry \
        BASEWATCH_CASE_BEGAN=$began timeout 180 bash "tests/system/cases/$name.sh" </dev/null >"$work/$name.out" 2>&1; then
        echo "ok $name"
        return
    fi
    echo "FAIL $name"
    sed 's/^/    /' "$work/$name.out"
    echo "    --- the journal"
    in_guest journalctl --no-pager --quiet --since="@$began" --lines=200 </dev/null | sed 's/^/    /'
    return 1
}

# What an earlier case configured, started or left.
clean_guest() {
    in_guest sh -e -c '
        systemctl stop basewatch.service "basewatch-*.socket" "basewatch-*@*.service"
        ! mountpoint -q /var/lib/basewatch-runner || umount /var/lib/basewatch-runner
        rm -rf /etc/basewatch /etc/systemd/system/basewatch* /var/lib/basewatch* /srv/case
        rm -rf /etc/containers /var/lib/containers /run/containers
        systemctl daemon-reload
        systemctl reset-failed
    ' </dev/null
}

fail() {
    echo "test-system: $*" >&2
    exit 1
}

leave_nothing() {
    local status=$?
    trap - EXIT
    tests/system/boot.sh down "$guest"
    if [[ -n $registry_pid ]] && kill -TERM "$registry_pid" 2>/dev/null; then
        timeout 5 tail --pid="$registry_pid" --sleep-interval=0.1 -f /dev/null || kill -KILL "$registry_pid"
    fi
    rm -rf "$work"
    exit "$status"
}

main "$@"
