# shellcheck shell=bash
# A real registry for a shell script to watch: Debian's docker-registry on a free loopback port, fed by skopeo.
# To be sourced by a script that has `eventually WHAT COMMAND...`. All files lie below the directory given to
# `start_registry`.

# start_registry DIRECTORY: sets $registry to host:port, and $registry_pid.
start_registry() {
    registry_directory=$1
    local layout=$1/layout
    mkdir -p "$layout/blobs/sha256"
    echo '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
    cat >"$1/registry.yml" <<EOF
version: 0.1
log: { level: info }
storage: { filesystem: { rootdirectory: "$1/storage" } }
http: { addr: "127.0.0.1:0" }
EOF
    # The environment could overrule the settings. Requests are logged to stdout, all else to stderr.
    env -i "${BASEWATCH_TEST_DOCKER_REGISTRY:-tests/.cache/docker-registry}" serve "$1/registry.yml" \
        </dev/null >"$1/requests" 2>"$1/registry.log" &
    # shellcheck disable=SC2034 # for the script that sources this, to end it
    registry_pid=$!
    eventually "the registry listens" registry_listens
    registry=$(sed -n 's/.*msg="listening on \([^",]*\).*/\1/p' "$1/registry.log")
}

# The log may not be there yet: the registry is started in the background.
registry_listens() { grep -qs 'msg="listening on ' "$registry_directory/registry.log"; }

# push_image REPOSITORY:TAG SEED: points the tag at the image that the seed alone determines.
push_image() {
    local layout=$registry_directory/layout layer config manifest
    layer=$(head -c 1024 /dev/zero | add_blob vnd.oci.image.layer.v1.tar)
    config=$(printf '{"architecture":"amd64","os":"linux","config":{"Labels":{"seed":"%s"}},%s}' "$2" \
        '"rootfs":{"type":"layers","diff_ids":["'"$(digest_in "$layer")"'"]}' | add_blob vnd.oci.image.config.v1+json)
    manifest=$(printf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[%s]}' \
        application/vnd.oci.image.manifest.v1+json "$config" "$layer" | add_blob vnd.oci.image.manifest.v1+json)
    printf '{"schemaVersion":2,"manifests":[%s]}' "$manifest" >"$layout/index.json"
    run_skopeo copy --quiet --preserve-digests --dest-tls-verify=false "oci:$layout" "docker://$registry/$1"
}

# move_tag REPOSITORY:TAG REPOSITORY:TAG: points the second at what the first points at.
move_tag() {
    run_skopeo copy --quiet --preserve-digests --src-tls-verify=false --dest-tls-verify=false \
        "docker://$registry/$1" "docker://$registry/$2"
}

# digest_of REPOSITORY:TAG: what the tag points at, as skopeo sees it.
digest_of() { run_skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$registry/$1"; }

# heads_of REPOSITORY:TAG: how often it was asked for what the tag points at.
heads_of() { grep -c "\"HEAD /v2/${1%:*}/manifests/${1##*:} " "$registry_directory/requests" || true; }

# skopeo comes without a policy file, and would keep its cache in the user's home.
run_skopeo() { XDG_DATA_HOME=$registry_directory timeout 10 skopeo --insecure-policy "$@" </dev/null; }

# add_blob MEDIA_TYPE: stores standard input in the layout under its digest, and prints its descriptor.
add_blob() {
    local blobs=$registry_directory/layout/blobs/sha256 digest
    cat >"$blobs/new"
    digest=$(sha256sum "$blobs/new")
    digest=${digest%% *}
    mv "$blobs/new" "$blobs/$digest"
    printf '{"mediaType":"application/%s","digest":"sha256:%s","size":%s}' \
        "$1" "$digest" "$(stat -c %s "$blobs/$digest")"
}

# digest_in DESCRIPTOR
digest_in() {
    local rest=${1#*\"digest\":\"}
    echo "${rest%%\"*}"
}
