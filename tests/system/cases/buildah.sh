# shellcheck shell=bash
# The examples for buildah do what they say: under each, a build makes an image of the base and pushes it.
source tests/system/lib.sh

# The base's only layer is no archive: an image that buildah can read is made of the guest's busybox first.
build_script <<'SH'
set -e
cp /bin/busybox .
printf '%s\n' 'FROM scratch' 'COPY busybox /bin/busybox' 'RUN ["/bin/busybox", "chown", "7:7", "/bin/busybox"]' \
    'RUN ["/bin/busybox", "id"]' >Containerfile
buildah build --tls-verify=false --tag "$TARGET" .
buildah push --tls-verify=false "$TARGET"
SH
put /etc/containers/policy.json 0644 root:root <<<'{"default":[{"type":"insecureAcceptAnything"}]}'
guest usermod --add-subuids 300000-365535 --add-subgids 300000-365535 "$runner_user"
# There is no overlay on the guest's, which is one itself.
drop_in basewatch-runner@.service vfs.conf <<'UNIT'
[Service]
Environment=STORAGE_DRIVER=vfs
UNIT
watch </dev/null
start_all

# builds EXAMPLE USER: the last line that it prints before the commit is of a step, which is root in any case.
builds() {
    drop_in basewatch-runner@.service example.conf <"systemd/runner/$1.conf"
    basewatch start app --refresh --env "TARGET=$registry/built:$1"
    ends_as Complete
    contains "$(logs)" "uid=0"
    eventually "the runner has ended" nothing_runs
    is "$(guest stat -c %U /var/lib/basewatch-runner)" "$2"
    contains "$(digest_of "built:$1")" sha256:
}

builds buildah-rootless "$runner_user"
build=app-2
# As root the variable is not enough: a later call tries overlay, because an earlier one left its directory.
put /etc/containers/storage.conf 0644 root:root <<'CONF'
[storage]
driver = "vfs"
graphroot = "/var/lib/containers/storage"
runroot = "/run/containers/storage"
CONF
builds buildah-root root
