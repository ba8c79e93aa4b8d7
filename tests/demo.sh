#!/usr/bin/env bash
# basewatch at work in under a minute: a real registry, a tag that moves, and builds that are given what it points at.
#
# `make demo` runs it; it exits 0 if all it says came true. It listens on one free loopback port, keeps everything in
# one temporary directory, and leaves nothing running. $BASEWATCH names another program than the one it would compile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tests/bin/registry.sh

daemon_pid=
registry_pid=
builds=0

main() {
    tests/bin/fetch-tools.sh docker-registry skopeo
    [[ -n ${BASEWATCH:-} ]] || BASEWATCH=$(compile)
    work=$(mktemp -d "${TMPDIR:-/tmp}/basewatch-demo.XXXXXX")
    trap leave_nothing EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    # An installed basewatch must not be mistaken for the demo's.
    unset BASEWATCH_CONFIG RUNTIME_DIRECTORY STATE_DIRECTORY
    # One deadline for all that is awaited: the whole ends within a minute, whatever happens.
    deadline=$((SECONDS + 40))

    start_registry "$work"
    sed "s/127\.0\.0\.1:5000/$registry/" config/demo.toml >"$work/demo.toml"
    tell_the_story
}

tell_the_story() {
    step "A registry runs on $registry. A base image is pushed to it, and base:stable points at that."
    push_image base:v1 1
    move_tag base:v1 base:stable

    step "basewatch starts. It has never seen the tag, so it builds; this build only prints what it was given:"
    start_basewatch
    expect_build

    step "A new base image is pushed to the tag. basewatch sees another digest, and builds:"
    push_image base:stable 2
    expect_build

    step "The tag is moved back to the first image. That is a change too:"
    move_tag base:v1 base:stable
    expect_build

    step "basewatch is stopped and started again, and nothing was pushed. It remembers, and builds nothing:"
    stop_basewatch
    start_basewatch
    expect_no_build

    step "basewatch is stopped, a third image is pushed, basewatch is started. It catches up, and builds once:"
    stop_basewatch
    push_image base:stable 3
    start_basewatch
    expect_build
    expect_no_build

    step "What basewatch itself says of its builds (basewatch builds):"
    basewatch builds
    stop_basewatch
    echo
    echo "$builds builds, each with the reference that skopeo names. Nothing is left running."
}

# The dev profile: no optimising of the whole program to wait for, and the tests use the same artefacts.
compile() {
    cargo build --locked --bin basewatch --message-format=json-render-diagnostics </dev/null |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p'
}

step() { printf '\n%s\n' "$*"; }

basewatch() { "$BASEWATCH" "$@" --config "$work/demo.toml" --state-dir "$work/state"; }

start_basewatch() {
    # By exec, so that the process id is the daemon's own.
    (exec "$BASEWATCH" run --config "$work/demo.toml" --state-dir "$work/state") \
        </dev/null >>"$work/basewatch.log" 2>&1 &
    daemon_pid=$!
}

stop_basewatch() {
    local pid=$daemon_pid status=0
    kill -TERM "$pid"
    daemon_pid=
    eventually "basewatch stops" has_ended "$pid"
    wait "$pid" || status=$?
    ((status == 0)) || fail "basewatch ended with $status after SIGTERM"
}

# Waits for the next build; what it was given must be what skopeo says of the tag at this moment.
expect_build() {
    builds=$((builds + 1))
    local build=app-$builds said
    eventually "$build is Complete" is_complete "$build"
    # The log begins each attempt with a line of its own.
    said=$(basewatch build logs "$build" | grep -v '^--- ')
    echo "    $said"
    [[ $said == "$build got $registry/base@$(digest_of base:stable)" ]] ||
        fail "skopeo inspect says that base:stable is $(digest_of base:stable)"
    echo "    and that is what skopeo inspect says of base:stable now"
}

# Waits for three more polls; by then a build would long have been queued.
expect_no_build() {
    local polls queued
    polls=$(heads_of base:stable)
    eventually "basewatch polls base:stable three times" has_polled $((polls + 3))
    queued=$(events build_queued | wc -l)
    ((queued == builds)) || fail "$queued builds were queued instead of $builds"
    echo "    the tag was polled three times more, and there are still $builds builds"
}

has_polled() { (($(heads_of base:stable) >= $1)); }
has_ended() { ! kill -0 "$1" 2>/dev/null; }
is_complete() { events build_finished | grep '"phase": *"Complete"' | grep -E "\"build\": *\"(default/)?$1\"" >/dev/null; }
events() { grep "\"event\": *\"$1\"" "$work/basewatch.log" || true; }

# eventually WHAT COMMAND...: waits until the command succeeds, or the demo has taken too long.
eventually() {
    local what=$1
    shift
    until "$@"; do
        ((SECONDS < deadline)) || fail "waited in vain until $what"
        [[ -z $daemon_pid ]] || ! has_ended "$daemon_pid" || fail "basewatch has ended by itself"
        sleep 0.1
    done
}

fail() {
    echo "demo: $*" >&2
    [[ ! -s $work/basewatch.log ]] || { echo "demo: the end of basewatch's log:"; tail -n 20 "$work/basewatch.log"; } >&2
    exit 1
}

leave_nothing() {
    local status=$? pid
    trap - EXIT
    for pid in $daemon_pid $registry_pid; do
        kill -TERM "$pid" 2>/dev/null || continue
        timeout 5 tail --pid="$pid" --sleep-interval=0.1 -f /dev/null || kill -KILL "$pid"
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
    exit "$status"
}

main
