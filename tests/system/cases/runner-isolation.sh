# shellcheck shell=bash
# A build in the runner's unit is another user's, and is denied what is the daemon's.
source tests/system/lib.sh

# Each line of its answer is a place, and `denied` or `open`.
build_script <<'SH'
echo "user $(id -un) $(id -Gn)"
reads() { if cat "$1" >/dev/null 2>&1; then echo "$1 open"; else echo "$1 denied"; fi; }
lists() { if ls "$1" >/dev/null 2>&1; then echo "$1 open"; else echo "$1 denied"; fi; }
connects() {
    case $(timeout 5 basewatch --socket "$1" status 2>&1) in
    *"ermission denied"*) echo "$1 denied" ;;
    *) echo "$1 open" ;;
    esac
}
lists /var/lib/basewatch
reads /var/lib/basewatch/lock
lists /run/credentials/basewatch.service
reads /run/credentials/basewatch.service/password
reads /etc/basewatch/registry-password
connects /run/basewatch/control.sock
connects /run/basewatch-runner/runner.sock
SH
echo "a password" | put /etc/basewatch/registry-password 0640 root:basewatch
drop_in basewatch.service password.conf <<'UNIT'
[Service]
LoadCredential=password:/etc/basewatch/registry-password
UNIT
watch <<'TOML'
[[registry]]
host = "registry.example.com"
username = "ci"
password_file = "/etc/basewatch/registry-password"
TOML
start_all

# They are all there: what the daemon's own user is told, so that a denial is one.
allowed=$(guest setpriv --reuid=basewatch --regid=basewatch --clear-groups sh /srv/case/build.sh)
is "$(grep -c ' open$' <<<"$allowed")" 7

start_build
ends_as Complete
contains "$(logs)" "user basewatch-runner basewatch-runner"
is "$(logs | grep -c ' denied$')" 7
lacks "$(logs)" " open"
