# shellcheck shell=bash
# A restart of the daemon is nothing to a build in the runner: one attempt, its output without a gap.
source tests/system/lib.sh

make_gate
build_script <<'SH'
echo "attempt $BASEWATCH_ATTEMPT before"
read -r _ </srv/case/go
echo "attempt $BASEWATCH_ATTEMPT after"
SH
watch </dev/null
start_all
start_build
eventually "the build runs" has_printed "attempt 1 before"

guest systemctl restart basewatch.service
is "$(of_build phase)" Running
# Nor to one that goes on while there is no daemon at all.
guest systemctl stop basewatch.service
open_gate
eventually "the build's command has ended" script_has_ended
guest systemctl start basewatch.service

ends_as Complete
is "$(of_build attempts)" 1
is "$(logs | grep '^attempt')" $'attempt 1 before\nattempt 1 after'
eventually "the runner has ended" nothing_runs
