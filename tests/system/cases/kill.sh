# shellcheck shell=bash
# An instance that is killed is gone, and its build is run again.
source tests/system/lib.sh

make_gate
build_script <<'SH'
echo "attempt $BASEWATCH_ATTEMPT runs"
[ "$BASEWATCH_ATTEMPT" -gt 1 ] || read -r _ </srv/case/go
SH
watch </dev/null
start_all
start_build
eventually "the build runs" has_printed "attempt 1 runs"

guest systemctl kill --signal=KILL 'basewatch-runner@*.service'

ends_as Complete
is "$(of_build attempts)" 2
contains "$(logs)" "attempt 2 runs"
eventually "the runner has ended" nothing_runs
