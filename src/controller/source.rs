//! Source code: where it is, and which revision of it a build is of.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::build::PinnedImage;
use super::strategy::Base;

/// Where the source code of a config is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// A git repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<Git>,
    /// A directory of the machine that the build runs on, in place of a repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<Box<Path>>,
    /// The directory in it that is built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_dir: Option<Box<str>>,
}

/// An image that a build uses besides the one it is made from (`source.images`, F29).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSource {
    /// Which image.
    pub from: Base,
    /// What of it.
    pub of_use: ImageUse,
}

/// The same in one build, pinned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedSource {
    /// Which image.
    pub image: PinnedImage,
    /// What of it.
    #[serde(flatten)]
    pub of_use: ImageUse,
}

/// What a build uses of another image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageUse {
    /// What a Dockerfile calls it in FROM, COPY --from and RUN --mount (F28).
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Box<str>>,
    /// What is copied out of it into the context.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<ImagePath>,
}

/// A file or directory of an image, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImagePath {
    /// An absolute path in the image; one that ends in `/.` means what is in the directory.
    pub source_path: Box<str>,
    /// A directory in the context, relative to it.
    pub destination_dir: Box<str>,
}

/// A git repository, and a branch or tag of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Git {
    /// Where it is.
    pub uri: Box<str>,
    /// A branch, tag or commit; `master` where nothing is written (F33).
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<Box<str>>,
}

/// The revision of the source code that a build is of: what a webhook or a person told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The commit.
    pub commit: Box<str>,
    /// What was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Box<str>>,
    /// Who changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Person>,
    /// Who brought it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committer: Option<Person>,
}

/// Somebody whom a commit names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Person {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Box<str>>,
}

/// The service that a webhook is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HookKind {
    /// Any: curl, a pipeline.
    Generic,
    /// GitHub, Gogs and Gitea.
    GitHub,
    /// GitLab.
    GitLab,
    /// Bitbucket, of either kind.
    Bitbucket,
}

impl HookKind {
    /// As the configuration spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Generic => "Generic",
            Self::GitHub => "GitHub",
            Self::GitLab => "GitLab",
            Self::Bitbucket => "Bitbucket",
        }
    }
}
