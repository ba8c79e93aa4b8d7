# shellcheck shell=bash
# The daemon in its unit, as it is installed and with hardened.conf: it says when it is ready, and builds.
source tests/system/lib.sh

build_script <<'SH'
echo "as $(id -un): $BASEWATCH_BASE_IMAGE"
SH
put /etc/basewatch/basewatch.toml 0644 root:root <<TOML
$(plain_registry)
[[watch]]
name = "app"
image = "$registry/base:1"
run = ["/bin/sh", "/srv/case/build.sh"]
TOML

# builds: it starts, builds what it sees first, and stops in order.
builds() {
    guest systemctl start basewatch.service
    is "$(guest systemctl show --property=Type --value basewatch.service)" notify
    contains "$(guest systemctl show --property=StatusText --value basewatch.service)" "1 tag"
    eventually "app-1 is queued" basewatch build show app-1 >/dev/null 2>&1
    ends_as Complete
    contains "$(logs)" "as basewatch: $registry/base@$(digest_of base:1)"
    guest systemctl stop basewatch.service
    is "$(guest systemctl show --property=Result --value basewatch.service)" success
}

builds
guest rm -rf /var/lib/basewatch
drop_in basewatch.service hardened.conf <systemd/hardened.conf
builds
is "$(guest systemctl show --property=NoNewPrivileges --value basewatch.service)" yes
