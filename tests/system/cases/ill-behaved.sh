# shellcheck shell=bash
# A build that does all it can to stay is ended by its time-out, and nothing of it is left.
source tests/system/lib.sh

build_script <<'SH'
trap '' TERM
# In a session of its own, nobody's child, without the environment it could be known by.
setsid --fork env -i sh -c 'trap "" TERM; sleep 98765 & sleep 98765 & wait; sleep 98765; sleep 98765'
echo "filling the disk"
cat /dev/zero >fill
exec >&- 2>&-
while :; do sleep 98764; done
SH
# The runner's state on a disk of its own, which the build can fill.
guest sh -e -c 'mkdir -p /var/lib/basewatch-runner; mount -t tmpfs -o size=4m runner /var/lib/basewatch-runner'
watch <<<'timeout = "3s"'
start_all
start_build

disk_is_full() { [[ $(guest df --output=avail /var/lib/basewatch-runner | tail -n 1) -eq 0 ]]; }
eventually "the build has left its process group" runs "sleep 98765"
eventually "the disk is full" disk_is_full
eventually "the build has closed its pipes" runs "sleep 98764"

ends_as Failed
is "$(of_build reason)" DeadlineExceeded
eventually "nothing is left" nothing_runs
! runs "sleep 98765" || fail "a process that hid is left"
