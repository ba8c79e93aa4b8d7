# shellcheck shell=bash
# A build's secrets are files in memory for as long as it runs, and nothing that it prints tells them.
source tests/system/lib.sh

secret=open-sesame-$RANDOM$RANDOM
make_gate
build_script <<'SH'
echo "printed: $(cat "$BASEWATCH_SECRETS_DIR/token")"
echo "file: $(stat -c '%a %U' "$BASEWATCH_SECRETS_DIR/token") on $(stat -f -c %T "$BASEWATCH_SECRETS_DIR")"
read -r _ </srv/case/go
SH
echo "$secret" | put /etc/basewatch/token 0640 root:basewatch
watch <<'TOML'
secrets = { token = "/etc/basewatch/token" }
[log]
build_output = "log"
TOML
start_all
start_build
eventually "the build runs" has_printed "file: "

# Journals are among what is searched.
found() { guest grep -rlF --devices=skip "$secret" /run /var 2>/dev/null || true; }
contains "$(logs)" "printed: <redacted>"
contains "$(logs)" "file: 400 $runner_user on tmpfs"
contains "$(journal basewatch.service)" "printed: <redacted>"
# Nothing but the file itself, so that the search does find what is there.
is "$(found | wc -l)" 1
contains "$(found)" "/run/basewatch-runner/"

open_gate
ends_as Complete
eventually "the runner has ended" nothing_runs
is "$(found)" ""
is "$(guest find /run/basewatch-runner -mindepth 1 -printf '%f\n')" runner.sock
