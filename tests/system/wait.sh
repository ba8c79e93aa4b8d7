# shellcheck shell=bash
# What the runner of the cases and the cases share. Whoever sources it sets $deadline, and says `fail` in its own way.

# eventually WHAT COMMAND...: waits until the command succeeds, or it has taken too long.
eventually() {
    local what=$1
    shift
    until "$@"; do
        ((SECONDS < deadline)) || fail "waited in vain until $what"
        sleep 0.1
    done
}
