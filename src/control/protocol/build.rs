//! Builds, in short and in full.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{BuildKey, Digest, ImageId, ImageUse, Revision, Source, TagRef};

/// Which builds are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildsQuery {
    /// Only those of this build config, `[NAMESPACE/]NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_config: Option<String>,
}

/// Builds, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Builds {
    /// The newest of them.
    pub builds: Vec<Build>,
    /// How many older ones were left out.
    pub left_out: usize,
}

/// Which build is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildName {
    /// `[NAMESPACE/]NAME-NUMBER`; the namespace may be left out where only one fits.
    pub build: String,
}

/// A build, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// `namespace/name-number`.
    pub build: BuildKey,
    /// The same over attempts and restarts.
    pub id: Uuid,
    /// Where it stands.
    pub phase: Phase,
    /// Why, where the phase alone does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What brought it about.
    pub cause: String,
    /// When it was made.
    pub created: Timestamp,
    /// When its newest attempt began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// When its next attempt is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<Timestamp>,
    /// How many attempts were started.
    pub attempts: u32,
    /// A person asked for it to stop, and it has not yet.
    pub cancel_asked: bool,
}

/// Where a build stands, as OpenShift spells it (F37).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "told at the controller's Phase")]
pub enum Phase {
    New,
    Pending,
    Running,
    Complete,
    Failed,
    Error,
    Cancelled,
}

/// A build, with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildDetail {
    /// In short.
    #[serde(flatten)]
    pub build: Build,
    /// `Serial`, `SerialLatestOnly` or `Parallel`, as it was when the build was made.
    pub run_policy: String,
    /// How many attempts were cut off through no fault of the build.
    pub interruptions: u32,
    /// The newest attempts, oldest first.
    pub history: Vec<Attempt>,
    /// What the build says it made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<BuiltImage>,
    /// The commit of the source code that it is of, if it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// What it is given; none if that file cannot be read any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<Spec>,
    /// Where its output is.
    pub log: PathBuf,
}

/// One run of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    /// When it began.
    pub started: Timestamp,
    /// How it ended; none while it may be alive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

/// An image that a build says it made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltImage {
    /// Where it was pushed to.
    pub reference: String,
    /// Its digest there.
    pub digest: Digest,
}

/// What a build is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// What brought it about.
    pub causes: Vec<Cause>,
    /// `Source`, `Docker`, `Custom` or `Command`.
    #[serde(default)]
    pub strategy: String,
    /// What else the strategy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Options>,
    /// The image it is made from, if the strategy names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_image: Option<Image>,
    /// Where the source code is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Which revision of it, if somebody told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// The other images that it uses, pinned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_sources: Vec<ImageSource>,
    /// The socket runner that it runs by; the daemon itself if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<String>,
    /// The names of its secrets; what they are stays with the daemon.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Where the built image goes, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The command, filled in.
    pub command: Vec<String>,
    /// What its strategy runs in place of a command, or around it, as a shell would take it in the build's directory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<String>,
    /// Where it runs; its own directory if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<PathBuf>,
    /// The names of its additional environment; the values stay with the daemon.
    pub env: Vec<String>,
    /// Free words.
    pub labels: BTreeMap<String, String>,
    /// How long one attempt may run, in milliseconds.
    pub timeout_ms: u64,
}

/// An image that a build uses besides the one it is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSource {
    /// Which.
    pub image: Image,
    /// What of it.
    #[serde(flatten)]
    pub of_use: ImageUse,
}

/// What a strategy says beyond its command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Docker: where the Dockerfile is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dockerfile_path: Option<String>,
    /// Docker: the names of the arguments of the build; the values stay with the daemon.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub build_args: Vec<String>,
    /// Docker: the stage to build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Docker: nothing is taken from earlier builds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_cache: bool,
    /// Source: files of the last build are used again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incremental: bool,
    /// The image is pulled even if it is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force_pull: bool,
    /// What builds the image, where the configuration says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The image is not pushed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_push: bool,
}

/// Why a build was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// `image-change`, `webhook`, `manual`, `config-change` or `rebuild`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The image that moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    /// What was there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_digest: Option<Digest>,
    /// Whose webhook it was: `Generic`, `GitHub`, `GitLab` or `Bitbucket`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<String>,
    /// The build that is made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebuild_of: Option<BuildKey>,
}

/// An image at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The tag it was found under.
    pub tag: TagRef,
    /// The same as the configuration spells it: an image reference, or `namespace/stream:tag`.
    #[serde(default)]
    pub named: String,
    /// The immutable reference; the tag itself on a v1 registry.
    pub reference: String,
    /// Its digest; none on a v1 registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Its id on a v1 registry, which is no digest and for information only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<ImageId>,
    /// Whether the reference may lead to another image later: so on a v1 registry, where nothing is immutable.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mutable: bool,
}

impl Image {
    /// Its namespace and its `stream:tag`, where the configuration follows it as a tag of an image stream.
    #[must_use]
    pub fn stream_tag(&self) -> Option<(&str, &str)> {
        let is_image = self.named.parse::<TagRef>().is_ok_and(|named| named == self.tag);
        self.named.split_once('/').filter(|_| !is_image)
    }
}
