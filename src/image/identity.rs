//! What is compared to tell whether an image moved, apart from what a build is given.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Digest, Platform, TagRef};

const OCI_IMAGE_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// What a tag points to: what the registry said, what is compared, and what builds are handed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// What is compared with a trigger's stored identity.
    pub identity: Identity,
    /// The immutable reference that builds are given: `host/repo@sha256:…` (semantics S13).
    pub reference: Box<str>,
    /// What the last look said, word for word.
    pub polled: Polled,
}

/// The answer to "what does this tag point to?" (registries.md §0.1: all three parts are stored).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Polled {
    /// The digest of the tag's own manifest or index.
    pub digest: Digest,
    /// The manifest's media type, without parameters; empty if the registry named none.
    pub media_type: Box<str>,
    /// The version of the set of media types that was asked for: another set can bring another digest.
    pub accept_version: u16,
}

/// What makes an image the same image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// A multi-platform image. The children are known once the index was read (D13).
    Index {
        /// The digest of the index itself.
        digest: Digest,
        /// The manifest of each real platform, where the index was read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        children: Option<BTreeMap<Platform, Digest>>,
    },
    /// A single manifest: it is its own digest.
    Digest(Digest),
    /// A tag on a v1 registry, which has no immutable identity: always equal to itself (S26).
    V1Tag,
}

impl Image {
    /// The image behind `tag` after a look that brought `polled`.
    #[must_use]
    pub fn new(tag: &TagRef, polled: Polled) -> Self {
        let digest = polled.digest.clone();
        let identity = match polled.is_index() {
            true => Identity::Index { digest, children: None },
            false => Identity::Digest(digest),
        };
        Self { identity, reference: tag.pinned(&polled.digest).into(), polled }
    }
}

impl Polled {
    /// Whether the manifest is an index (a "manifest list" in Docker's words).
    #[must_use]
    pub fn is_index(&self) -> bool {
        matches!(&*self.media_type, OCI_IMAGE_INDEX | DOCKER_MANIFEST_LIST)
    }
}

impl Identity {
    /// Whether this identity is news to a trigger that has `stored`.
    ///
    /// An index has changed when a platform was added or points elsewhere; a platform that vanishes changes
    /// nothing, nor does its return unchanged. Where one side's platforms are not known, the digests decide (D13). A v2
    /// registry that seems to be a v1 one is no news: a proxy's error page can look like that (D10).
    #[must_use]
    pub fn differs_from(&self, stored: &Self) -> bool {
        match (self, stored) {
            (Self::Index { children: Some(new), .. }, Self::Index { children: Some(old), .. }) => {
                new.iter().any(|(platform, digest)| old.get(platform) != Some(digest))
            }
            (Self::V1Tag, Self::Index { .. } | Self::Digest(_) | Self::V1Tag) => false,
            (Self::Index { .. } | Self::Digest(_), Self::Index { .. } | Self::Digest(_) | Self::V1Tag) => {
                self.digest() != stored.digest()
            }
        }
    }

    /// The tag's own digest; none on a v1 registry.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Index { digest, .. } | Self::Digest(digest) => Some(digest),
            Self::V1Tag => None,
        }
    }
}
