# shellcheck shell=bash
# What every case says first: `source tests/system/lib.sh`. It is for scripts that run.sh starts, one process each, in
# the repository's directory, with the guest up, basewatch installed in it and a registry on the host.
set -euo pipefail
source tests/bin/registry.sh
source tests/system/wait.sh

guest=${BASEWATCH_GUEST:?run.sh starts the cases}
registry=${BASEWATCH_REGISTRY:?run.sh starts the cases}
registry_directory=${BASEWATCH_REGISTRY_DIRECTORY:?run.sh starts the cases}
runner_user=basewatch-runner
# The build that is asked about. The guest is fresh, so the first one is this.
build=app-1
deadline=$((SECONDS + 60))

# guest COMMAND...: runs it in the guest, as root. Standard input is the caller's.
guest() { timeout 60 tests/system/boot.sh sh "$guest" "$@"; }

basewatch() { guest basewatch "$@" </dev/null; }

fail() {
    echo "$*" >&2
    exit 1
}

# contains TEXT PART: so that a failure tells the whole text.
contains() { [[ $1 == *"$2"* ]] || fail "this should contain \"$2\": $1"; }
lacks() { [[ $1 != *"$2"* ]] || fail "this should not contain \"$2\": $1"; }
is() { [[ $1 == "$2" ]] || fail "\"$1\" should be \"$2\""; }

# put FILE [MODE [OWNER]]: writes standard input to a file of the guest.
put() { guest install -D -m "${2:-0644}" -o "${3%%:*}" -g "${3##*:}" /dev/stdin "$1"; }

# drop_in UNIT NAME: writes standard input as a drop-in. The unit's next start has it.
drop_in() { put "/etc/systemd/system/$1.d/$2" 0644 root:root && guest systemctl daemon-reload; }

# build_script: what the build of `watch` runs, from standard input.
build_script() { put /srv/case/build.sh 0755 root:root; }

# The registry of the host, as a configuration has to say it.
plain_registry() { printf '%s\n' '[[registry]]' "host = \"$registry\"" 'insecure = true'; }

# watch: one watch of base:1 called app, which runs build.sh in the runner once it is asked to. Standard input goes on
# with the watch, and then with other tables.
watch() {
    {
        plain_registry
        printf '%s\n' '[runner.systemd]' 'socket = "/run/basewatch-runner/runner.sock"' '[[watch]]' 'name = "app"' \
            "image = \"$registry/base:1\"" 'run = ["/bin/sh", "/srv/case/build.sh"]' 'on_first = "record"' \
            'runner = "systemd"' 'retry = { attempts = 1 }'
        cat
    } | put /etc/basewatch/basewatch.toml 0644 root:root
}

# start_all: the runner's socket, and the daemon.
start_all() { guest systemctl start basewatch-runner.socket basewatch.service; }

# start_build: asks for a build of app.
start_build() { basewatch start app --refresh; }

# of_build FIELD: as `build show` tells it.
of_build() { basewatch build show "$build" -o json | guest jq -r ".$1"; }

has_ended() { [[ $(of_build phase) =~ ^(Complete|Failed|Error|Cancelled)$ ]]; }

# ends_as PHASE: waits for the end of the build.
ends_as() {
    eventually "$build ends" has_ended
    is "$(of_build phase)" "$1"
}

logs() { basewatch build logs "$build"; }
has_printed() { [[ $(logs 2>/dev/null) == *"$1"* ]]; }

# journal UNIT: of this case alone.
journal() { guest journalctl --no-pager --quiet --since="@$BASEWATCH_CASE_BEGAN" --unit="$1"; }

# A build that waits for the case: `read -r _ </srv/case/go` in its script.
make_gate() { guest sh -c 'mkdir -p /srv/case && mkfifo -m 0644 /srv/case/go'; }
open_gate() { guest timeout 30 sh -c 'echo go >/srv/case/go'; }

# processes_of USER: their ids.
processes_of() { guest find /proc -maxdepth 1 -user "$1" -name '[0-9]*' -printf '%f\n'; }

# instances: those units of the runner that are there at all.
instances() { guest systemctl list-units --all --plain --no-legend 'basewatch-runner@*.service'; }


# runs TEXT: whether a process of the guest has this in its command line. The brackets keep the search from finding
# itself.
runs() {
    # shellcheck disable=SC2016 # the other shell is to expand it
    guest sh -c 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\0" " " | grep -q "$1"' sh "[${1:0:1}]${1:1}"
}
script_has_ended() { ! runs /srv/case/build.sh; }
nothing_runs() { [[ -z $(processes_of "$runner_user") && -z $(instances) ]]; }
