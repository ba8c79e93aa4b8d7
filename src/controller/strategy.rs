//! How a build is made: what it is made from, and what is run.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::settings::StreamTag;
use crate::image::TagRef;

/// How a config is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strategy {
    /// Which of OpenShift's it is.
    pub kind: StrategyKind,
    /// What the build is made from, and gets pinned if it can be; a Docker or Command strategy may say nothing.
    pub from: Option<Base>,
    /// The command; `{name}` and its like are filled in when a build is made. Thousands of configs may share one. Empty if
    /// there is none: such a build ends in Error.
    pub command: Arc<[String]>,
    /// Additional environment, in the order written.
    pub env: Box<[(String, String)]>,
    /// Where the command runs; the build's own directory if absent.
    pub working_dir: Option<Box<Path>>,
    /// What else the configuration says of it. Few say anything.
    pub options: Option<Box<StrategyOptions>>,
}

/// OpenShift's strategies, and the one of a `[[watch]]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StrategyKind {
    /// Source code is put into a builder image.
    Source,
    /// A Dockerfile.
    Docker,
    /// A builder image of one's own, which is told its reference in `OPENSHIFT_CUSTOM_BUILD_BASE_IMAGE`.
    Custom,
    /// A command, and nothing around it.
    #[default]
    Command,
}

/// What a strategy is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// A tag of an image stream: each build gets it pinned (F23).
    Tag(Arc<StreamTag>),
    /// An image that is handed on as it is written, be it mutable (`kind = "DockerImage"`, F23).
    Image {
        /// As written.
        text: Arc<str>,
        /// The same in its normal spelling.
        tag: TagRef,
    },
}

/// What a strategy says beyond its command. It is in each build's record, for the command to read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyOptions {
    /// Docker: where the Dockerfile is, from the context directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dockerfile_path: Option<Box<str>>,
    /// Docker: arguments of the build.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub build_args: Vec<(String, String)>,
    /// Docker: the stage to build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Box<str>>,
    /// Docker: nothing is taken from earlier builds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_cache: bool,
    /// Source: files of the last build are used again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incremental: bool,
    /// The image is pulled even if it is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force_pull: bool,
    /// Docker, Source: what builds; none is the first that is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<Tool>,
    /// Docker, Source: the image gets the name of the output, and is not pushed there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_push: bool,
    /// Docker, Source: the registries of its images that may be asked by plain http, or with a certificate that nobody
    /// vouches for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub insecure: Vec<Box<str>>,
}

/// A program that builds images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    /// Needs no daemon, and no root where it is set up for that.
    Buildah,
    /// The same under another face.
    Podman,
    /// A client of the docker daemon.
    Docker,
    /// OpenShift's own for Source builds; it needs the docker daemon.
    S2i,
}

impl Strategy {
    /// The tag that it is built from, if that is one that is followed.
    #[must_use]
    pub fn stream_tag(&self) -> Option<&StreamTag> {
        self.from.as_ref()?.stream_tag()
    }

    /// The image that it is built from, followed or not.
    #[must_use]
    pub fn tag(&self) -> Option<&TagRef> {
        self.from.as_ref().map(Base::tag)
    }
}

impl Base {
    /// The tag, if it is one that is followed.
    #[must_use]
    pub fn stream_tag(&self) -> Option<&StreamTag> {
        match self {
            Self::Tag(from) => Some(from),
            Self::Image { .. } => None,
        }
    }

    /// The image, followed or not.
    #[must_use]
    pub fn tag(&self) -> &TagRef {
        match self {
            Self::Tag(from) => &from.tag,
            Self::Image { tag, .. } => tag,
        }
    }
}

impl Tool {
    /// Its program, which is also how the configuration spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Buildah => "buildah",
            Self::Podman => "podman",
            Self::Docker => "docker",
            Self::S2i => "s2i",
        }
    }
}

impl StrategyKind {
    /// As the configuration spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "Source",
            Self::Docker => "Docker",
            Self::Custom => "Custom",
            Self::Command => "Command",
        }
    }
}
