//! The environment of a build: these variables and no others (invariant 7).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use nix::unistd::{AccessFlags, access};

use super::custom;
use super::directory::Directory;
use super::strategy;
use crate::controller::{BuildSpec, Cause, PinnedImage};
use crate::image::Digest;

/// What a build inherits of the daemon's own environment, where the daemon has it: what any program reads, and what those
/// read that build images.
pub const INHERITED: [&str; 20] = [
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "SSL_CERT_FILE",
    "XDG_RUNTIME_DIR",
    "BUILDAH_ISOLATION",
    "STORAGE_DRIVER",
    "STORAGE_OPTS",
    "CONTAINERS_STORAGE_CONF",
    "CONTAINERS_REGISTRIES_CONF",
    "CONTAINERS_CONF",
    "DOCKER_HOST",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "DOCKER_BUILDKIT",
];

/// What an image tells of the one it was made from, in the words of the OCI.
const BASE_NAME: &str = "org.opencontainers.image.base.name";
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// The names that belong to basewatch: a strategy's environment cannot set them.
const OWN: &str = "BASEWATCH_";

/// How the names begin that tell any program which libraries it is to load.
const LINKER: &str = "LD_";

/// The usual places, for a daemon that was started without a PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Name and value, each name once.
pub(super) type Environment = BTreeMap<OsString, OsString>;

/// What attempt number `attempt` of `spec` is given.
pub(super) fn of(
    spec: &BuildSpec,
    attempt: u32,
    directory: &Directory,
    inherited: &[(String, String)],
) -> Environment {
    let mut all = Environment::new();
    all.extend(base(inherited, directory.path()));
    all.extend(custom::variables(spec).into_iter().map(|(name, value)| (name.into(), value.into())));
    let strategy = spec.env.iter().filter(|(name, _)| !name.starts_with(OWN) && is_for_process(spec, name));
    all.extend(strategy.map(|(name, value)| (name.into(), value.into())));
    all.extend(own(spec, attempt).map(|(name, value)| (name.into(), value.into())));
    all.insert("BASEWATCH_BUILD_FILE".into(), directory.build_file().into());
    all.insert("BASEWATCH_RESULT_FILE".into(), directory.result_file().into());
    all
}

/// Whether a variable is for the build's process too. What is meant for the image that is built in must not lead astray the
/// programs that build it: it is in the Dockerfile anyway.
fn is_for_process(spec: &BuildSpec, name: &str) -> bool {
    let is_proxy = name.to_ascii_lowercase().ends_with("_proxy");
    let is_the_tools = (INHERITED.contains(&name) && !is_proxy) || name.starts_with(LINKER);
    !is_the_tools || !strategy::makes_image(spec)
}

fn base(inherited: &[(String, String)], directory: &Path) -> Environment {
    let known = inherited.iter().filter(|(name, _)| INHERITED.contains(&name.as_str()));
    let mut base: Environment = known.map(|(name, value)| (name.into(), value.into())).collect();
    base.entry("PATH".into()).or_insert_with(|| DEFAULT_PATH.into());
    if !base.get(OsStr::new("HOME")).is_some_and(|home| is_writable(Path::new(home))) {
        base.insert("HOME".into(), directory.into());
    }
    base
}

/// A system user's home is often `/` or missing, and many tools fail without one they can write to.
pub(super) fn is_writable(home: &Path) -> bool {
    home.is_dir() && access(home, AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
}

/// The labels that an image of this build should have: the config's, and what it is made from.
pub(super) fn labels(spec: &BuildSpec) -> BTreeMap<String, String> {
    let base = spec.base_image.as_ref();
    let name = base.map(|base| (BASE_NAME.to_owned(), base.tag.as_str().to_owned()));
    let digest = base.and_then(|base| base.digest.as_ref());
    let digest = digest.map(|digest| (BASE_DIGEST.to_owned(), digest.to_string()));
    let mut labels: BTreeMap<String, String> = name.into_iter().chain(digest).collect();
    labels.extend(spec.labels.iter().map(|(name, value)| (name.clone(), value.clone())));
    labels
}

fn own(spec: &BuildSpec, attempt: u32) -> impl Iterator<Item = (&'static str, String)> {
    let config = &spec.build.config;
    let (image, old_digest) = spec.main_image().unzip();
    let base = spec.base_image.as_ref();
    let reference = |image: Option<&PinnedImage>| image.map(|image| image.reference.to_string());
    let digest = |digest: Option<&Digest>| digest.map(ToString::to_string).unwrap_or_default();
    let labels: Vec<String> = labels(spec).iter().map(|(name, value)| format!("{name}={value}")).collect();
    [
        ("BASEWATCH_BUILD", spec.build.name()),
        ("BASEWATCH_BUILD_ID", spec.id.to_string()),
        ("BASEWATCH_BUILD_CONFIG", config.name().to_owned()),
        ("BASEWATCH_NAMESPACE", config.namespace().to_owned()),
        ("BASEWATCH_BUILD_NUMBER", spec.build.number.to_string()),
        ("BASEWATCH_ATTEMPT", attempt.to_string()),
        ("BASEWATCH_CAUSE", spec.causes.first().map(Cause::name).unwrap_or_default().to_owned()),
        ("BASEWATCH_BASE_IMAGE", reference(base).unwrap_or_default()),
        ("BASEWATCH_IMAGE", reference(image).unwrap_or_default()),
        ("BASEWATCH_TAG", image.map(|image| image.named.to_string()).unwrap_or_default()),
        ("BASEWATCH_DIGEST", digest(image.and_then(|image| image.digest.as_ref()))),
        ("BASEWATCH_OLD_DIGEST", digest(old_digest.flatten())),
        ("BASEWATCH_LABELS", labels.join("\n")),
    ]
    .into_iter()
}
