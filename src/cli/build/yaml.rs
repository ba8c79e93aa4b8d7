//! A build as OpenShift prints it: `basewatch build show BUILD -o yaml`.
//!
//! What OpenShift has no word for is not here, but for the Command strategy and a stage of a Dockerfile, which it does not
//! know; `-o json` has everything. Values of variables stay with the daemon, so that only their names are here.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use self::cause::TriggeredBy;
use self::strategy::Strategy;
use crate::control::protocol::{BuildDetail, BuildKey, Git, ImagePath, ImageSource, Phase, Revision, Spec};

mod cause;
mod strategy;

/// `v1` of OpenShift's group of builds.
const API_VERSION: &str = "build.openshift.io/v1";

/// `detail` as a document.
pub(super) fn yaml(detail: &BuildDetail) -> anyhow::Result<String> {
    // A reference is long, and is read best in one line.
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let text = serde_saphyr::to_string_with_options(&Build::of(detail), options)?;
    Ok(if text.ends_with('\n') { text } else { text + "\n" })
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Build<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spec: Option<BuildSpec<'a>>,
    status: Status<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    name: String,
    namespace: &'a str,
    uid: String,
    creation_timestamp: String,
    labels: BTreeMap<&'a str, &'a str>,
    annotations: BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BuildSpec<'a> {
    triggered_by: Vec<TriggeredBy<'a>>,
    strategy: Strategy<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<SourceOf<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<RevisionOf<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<OutputOf<'a>>,
    completion_deadline_seconds: u64,
}

/// `{kind, name}` of something.
#[derive(Debug, Serialize)]
struct Reference<'a> {
    kind: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SourceOf<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    git: Option<&'a Git>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_dir: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<ImageOf<'a>>,
}

/// An image source.
#[derive(Debug, Serialize)]
struct ImageOf<'a> {
    from: Reference<'a>,
    #[serde(rename = "as", skip_serializing_if = "<[_]>::is_empty")]
    aliases: &'a [Box<str>],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    paths: Vec<PathOf<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PathOf<'a> {
    source_path: &'a str,
    destination_dir: &'a str,
}

/// A revision has the same fields for us and for OpenShift.
#[derive(Debug, Serialize)]
struct RevisionOf<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    git: Cow<'a, Revision>,
}

#[derive(Debug, Serialize)]
struct OutputOf<'a> {
    to: Reference<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    phase: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cancelled: bool,
    config: Reference<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_timestamp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_timestamp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_docker_image_reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Made>,
}

/// What a build made. OpenShift's makes one image.
#[derive(Debug, Serialize)]
struct Made {
    to: MadeImage,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MadeImage {
    image_digest: String,
}

impl<'a> Build<'a> {
    fn of(detail: &'a BuildDetail) -> Self {
        Self {
            api_version: API_VERSION,
            kind: "Build",
            metadata: Metadata::of(detail),
            spec: detail.spec.as_ref().map(|spec| BuildSpec::of(spec, detail.commit.as_deref())),
            status: Status::of(detail),
        }
    }
}

impl<'a> Metadata<'a> {
    fn of(detail: &'a BuildDetail) -> Self {
        let key = &detail.build.build;
        let config = key.config.name();
        let given = detail.spec.iter().flat_map(|spec| &spec.labels);
        let mut labels: BTreeMap<&str, &str> = given.map(|(name, value)| (&**name, &**value)).collect();
        labels.insert("buildconfig", config);
        labels.insert("openshift.io/build-config.name", config);
        labels.insert("openshift.io/build.start-policy", &detail.run_policy);
        let mut annotations = BTreeMap::from([
            ("openshift.io/build-config.name", config.to_owned()),
            ("openshift.io/build.number", key.number.to_string()),
        ]);
        annotations.extend(clone_of(detail).map(|of| ("openshift.io/build.clone-of", of.name())));
        Self {
            name: key.name(),
            namespace: key.config.namespace(),
            uid: detail.build.id.to_string(),
            creation_timestamp: instant(detail.build.created),
            labels,
            annotations,
        }
    }
}

impl<'a> BuildSpec<'a> {
    fn of(spec: &'a Spec, commit: Option<&str>) -> Self {
        Self {
            triggered_by: cause::of(spec),
            strategy: Strategy::of(spec),
            source: SourceOf::of(spec),
            revision: spec.revision.as_ref().map(RevisionOf::of).or(commit.map(RevisionOf::found)),
            output: spec.output.as_deref().map(|to| OutputOf { to: Reference::image(to) }),
            completion_deadline_seconds: spec.timeout_ms / 1000,
        }
    }
}

impl<'a> Reference<'a> {
    /// An image by its reference.
    fn image(name: &'a str) -> Self {
        Self { kind: "DockerImage", name, namespace: None }
    }
}

impl<'a> SourceOf<'a> {
    /// The source code and the image sources, which OpenShift has in one.
    fn of(spec: &'a Spec) -> Option<Self> {
        let source = spec.source.as_ref();
        if source.is_none() && spec.image_sources.is_empty() {
            return None;
        }
        let git = source.and_then(|source| source.git.as_ref());
        let context_dir = source.and_then(|source| source.context_dir.as_deref());
        let images = spec.image_sources.iter().map(ImageOf::of).collect();
        let without = spec.image_sources.first().map(|_| "Image");
        Some(Self { kind: git.map(|_| "Git").or(without), git, context_dir, images })
    }
}

impl<'a> ImageOf<'a> {
    fn of(source: &'a ImageSource) -> Self {
        let path = |path: &'a ImagePath| PathOf {
            source_path: &path.source_path,
            destination_dir: &path.destination_dir,
        };
        Self {
            from: Reference::image(&source.image.reference),
            aliases: &source.of_use.aliases,
            paths: source.of_use.paths.iter().map(path).collect(),
        }
    }
}

impl<'a> RevisionOf<'a> {
    fn of(revision: &'a Revision) -> Self {
        Self { kind: "Git", git: Cow::Borrowed(revision) }
    }

    /// Of a build that nobody told its revision: the commit that it found.
    fn found(commit: &str) -> Self {
        Self { kind: "Git", git: Cow::Owned(Revision { commit: commit.into(), ..Revision::default() }) }
    }
}

impl<'a> Status<'a> {
    fn of(detail: &'a BuildDetail) -> Self {
        let build = &detail.build;
        let config = &build.build.config;
        let made = detail.images.first();
        let output = detail.spec.as_ref().and_then(|spec| spec.output.as_deref());
        Self {
            phase: format!("{:?}", build.phase),
            message: build.reason.as_deref(),
            cancelled: build.cancel_asked || build.phase == Phase::Cancelled,
            config: Reference {
                kind: "BuildConfig",
                name: config.name(),
                namespace: Some(config.namespace()),
            },
            start_timestamp: build.started.map(instant),
            completion_timestamp: build.ended.map(instant),
            output_docker_image_reference: made.map(|image| &*image.reference).or(output),
            output: made.map(|image| Made { to: MadeImage { image_digest: image.digest.to_string() } }),
        }
    }
}

/// The build that was made again, if this is one made again.
fn clone_of(detail: &BuildDetail) -> Option<&BuildKey> {
    detail.spec.as_ref()?.causes.iter().find_map(|cause| cause.rebuild_of.as_ref())
}

/// An instant as Kubernetes has it, to the second.
fn instant(then: Timestamp) -> String {
    then.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests;
