//! Why a field is not carried over, and what to do instead.

/// Fields of OpenShift's reference by the end of their path, the longer before the shorter.
const REASONS: &[(&str, &str)] = &[
    // BuildConfig
    ("spec.nodeSelector", "there are no nodes: builds run on this host, or where its runner is"),
    (
        "spec.resources",
        "limits are the service manager's: set MemoryMax= and CPUQuota= on the unit that runs builds",
    ),
    (
        "spec.serviceAccount",
        "there are no service accounts: builds run as the user of the unit, or of its runner",
    ),
    ("spec.postCommit", "let `command` run the test before it pushes"),
    ("spec.mountTrustedCA", "builds see the certificates of the host they run on"),
    ("spec.revision", "a build is of the revision that its webhook names, or of the newest"),
    (
        "spec.output.pushSecret",
        "a build pushes with a login of its own: `auth_file`, or one in its home directory",
    ),
    ("spec.output.imageLabels", "the image gets the `labels` of its build config"),
    (
        "spec.source.sourceSecret",
        "git clones with a key of its own: name it in GIT_SSH_COMMAND by `env`, a file of `secrets`, or in its home directory",
    ),
    (
        "spec.source.secrets",
        "give the build the files by `secrets`: a Dockerfile mounts them with RUN --mount=type=secret",
    ),
    ("spec.source.configMaps", "give `command` the files: there are no config maps"),
    ("spec.source.dockerfile", "write it into the source code, and its path into dockerfile_path"),
    ("spec.source.binary", "nothing is uploaded to a build: let `command` fetch its input"),
    ("spec.source.git.ref", "without a uri it names nothing"),
    ("spec.source.git.httpProxy", "set the proxy in the environment of `command`, by `env`"),
    ("spec.source.git.httpsProxy", "set the proxy in the environment of `command`, by `env`"),
    ("spec.source.git.noProxy", "set the proxy in the environment of `command`, by `env`"),
    ("sourceStrategy.scripts", "let `command` bring its own scripts"),
    ("sourceStrategy.runtimeImage", "let `command` copy what it built into another image"),
    ("sourceStrategy.runtimeArtifacts", "let `command` copy what it built into another image"),
    ("dockerStrategy.imageOptimizationPolicy", "let `command` squash layers, if it should"),
    ("customStrategy.exposeDockerSocket", "what a build can reach is what its user can reach"),
    ("customStrategy.buildAPIVersion", "a build's record is the file that BASEWATCH_BUILD_FILE names"),
    ("customStrategy.secrets", "give `command` the files by `secrets`"),
    (
        "pullSecret",
        "a build pulls with a login of its own, `auth_file`; basewatch itself takes one from [[registry]]",
    ),
    ("Strategy.volumes", "there are no volumes: `command` sees the files of its host"),
    // ImageStream
    ("spec.lookupPolicy", "it is about pods, and there are none"),
    ("spec.tags.reference", "of a tag that no image name stands behind it means nothing here"),
    ("spec.tags.importPolicy", "only a tag from a DockerImage without `reference` is polled"),
    ("spec.tags.referencePolicy", "a tag without `from` is in the system registry already"),
    (
        "spec.tags.annotations",
        "only prefer-arch and prefer-os mean something here, and only where a tag is polled and import_mode is Legacy",
    ),
    // Any object
    ("metadata.labels", "labels are set in our own words: labels = { … } on a build config"),
    ("metadata.annotations", "it means nothing outside the cluster"),
    ("metadata.ownerReferences", "nothing owns an object here"),
    ("metadata.finalizers", "nothing is cleaned up here"),
];

/// What is said of a field that nobody has heard of.
const UNKNOWN: &str = "nothing here corresponds to it";

/// Why the field at `path` is not carried over.
pub(super) fn why(path: &str) -> &'static str {
    let path = without_indices(path);
    let known = REASONS.iter().find(|(known, _)| {
        let ends =
            |text: &str| text == *known || text.ends_with(&format!(".{known}")) || is_suffix(text, known);
        // A field within one that is known has that one's reason.
        ends(&path) || path.match_indices('.').any(|(dot, _)| path.get(..dot).is_some_and(ends))
    });
    known.map_or(UNKNOWN, |(_, why)| why)
}

/// `Strategy.volumes` is the end of `spec.strategy.dockerStrategy.volumes`.
fn is_suffix(path: &str, known: &str) -> bool {
    known.starts_with(char::is_uppercase) && path.ends_with(known)
}

/// `spec.tags[0].annotations["a.b/c"]` as `spec.tags.annotations.`: what a list holds has the list's reason.
fn without_indices(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        if let Some(name) = after.strip_prefix('"') {
            plain.push_str(".key");
            rest = name.split_once("\"]").map_or("", |(_, rest)| rest);
        } else {
            rest = after.split_once(']').map_or("", |(_, rest)| rest);
        }
    }
    plain + rest
}
