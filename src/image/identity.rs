//! What is compared to tell whether an image moved, apart from what a build is given.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::{Digest, ImageId, Platform, TagRef};

const OCI_IMAGE_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const MEDIA_TYPES: [&str; 4] = [
    OCI_IMAGE_INDEX,
    DOCKER_MANIFEST_LIST,
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// What a tag points to: what the registry said, and what is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredImage", into = "StoredImage")]
pub struct Image {
    /// What is compared with a trigger's stored identity.
    pub identity: Identity,
    /// What the last look said, word for word.
    pub polled: Polled,
}

/// An image as it is stored: the identity follows from what was polled and from what is in the index.
#[derive(Serialize, Deserialize)]
struct StoredImage {
    polled: Polled,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    children: Option<Children>,
    /// States from before that was left out have it, and the children in it.
    #[serde(default, skip_serializing)]
    identity: Option<Identity>,
}

/// The answer to "what does this tag point to?".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Polled {
    /// A manifest or an index: the answer of a v2 registry.
    Manifest(Descriptor),
    /// An image id: the answer of a v1 registry. It tells nothing about whether the image moved (S27).
    V1(ImageId),
    /// Nothing: the tag is taken as it is written, and no registry is asked (`reference = true`, F2).
    Unasked,
}

/// What names a manifest (registries.md §0.1: all three parts are stored).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// The digest of the tag's own manifest or index.
    pub digest: Digest,
    /// The manifest's media type, without parameters; empty if the registry named none.
    #[serde(deserialize_with = "read_media_type")]
    pub media_type: Cow<'static, str>,
    /// The version of the set of media types that was asked for: another set can bring another digest.
    pub accept_version: u16,
}

/// The manifest of each real platform of an index, at most [`MOST_CHILDREN`]. None at all is an empty index; where an
/// index does not tell platforms apart, its own digest stands for all that is in it.
pub type Children = BTreeMap<Platform, Digest>;

/// How many platforms of an index are told apart. What is stored of a trigger, two images at most and a pause, is then
/// within 4 KB; the images that people build from have a dozen at most.
pub const MOST_CHILDREN: usize = 12;

/// What is kept of what is in the index `own`. Digests of the longer kind would take twice the room, and hardly anybody
/// has them: they are not told apart, and `own` stands for them all.
#[must_use]
pub fn kept_of(own: &Digest, children: Children) -> Children {
    let is_long = |digest: &Digest| matches!(digest, Digest::Sha512(_));
    match children.values().any(is_long) {
        true => Children::from([(Platform::unnamed(own), own.clone())]),
        false => children,
    }
}

/// What a look at a tag brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What the tag points to.
    pub polled: Polled,
    /// What is in the index that it points to, where that was read (D13).
    pub children: Option<Children>,
    /// The index that it pointed to before, where only the comparison made it worth reading.
    pub earlier: Option<Earlier>,
}

/// An index that a tag pointed to before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// Its own digest.
    pub digest: Digest,
    /// What is in it.
    pub children: Children,
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
        children: Option<Children>,
    },
    /// A single manifest: it is its own digest.
    Digest(Digest),
    /// A tag that has no immutable identity, on a v1 registry or taken as it is written: always equal to itself (S26).
    V1Tag,
}

impl Image {
    /// The image that a look found: `polled` and, perhaps, what is in that index.
    #[must_use]
    pub fn new(polled: Polled, children: Option<Children>) -> Self {
        let identity = match &polled {
            Polled::V1(_) | Polled::Unasked => Identity::V1Tag,
            Polled::Manifest(manifest) => {
                let digest = manifest.digest.clone();
                match manifest.is_index() {
                    true => Identity::Index { digest, children },
                    false => Identity::Digest(digest),
                }
            }
        };
        Self { identity, polled }
    }

    /// What builds are handed of the image behind `tag`: the immutable reference `host/repo@sha256:…` (semantics S13), or
    /// the tag itself on a v1 registry, which has none (F43). Not stored, as it follows from the rest.
    #[must_use]
    pub fn reference(&self, tag: &TagRef) -> Box<str> {
        match &self.polled {
            Polled::V1(_) => tag.v1_reference().into(),
            Polled::Unasked => tag.as_str().into(),
            Polled::Manifest(manifest) => tag.pinned(&manifest.digest).into(),
        }
    }
}

impl Polled {
    /// The digest; none on a v1 registry.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Manifest(manifest) => Some(&manifest.digest),
            Self::V1(_) | Self::Unasked => None,
        }
    }

    /// The image id on a v1 registry; none on a v2 one.
    #[must_use]
    pub fn image_id(&self) -> Option<ImageId> {
        match self {
            Self::Manifest(_) | Self::Unasked => None,
            Self::V1(image_id) => Some(*image_id),
        }
    }
}

impl From<Polled> for Found {
    fn from(polled: Polled) -> Self {
        Self { polled, children: None, earlier: None }
    }
}

impl From<Descriptor> for Found {
    fn from(manifest: Descriptor) -> Self {
        Polled::Manifest(manifest).into()
    }
}

impl Found {
    /// The indexes that were read, each with its digest.
    pub fn read(&self) -> impl Iterator<Item = (&Digest, &Children)> {
        let new = self.polled.digest().zip(self.children.as_ref());
        let earlier = self.earlier.as_ref().map(|earlier| (&earlier.digest, &earlier.children));
        new.into_iter().chain(earlier)
    }
}

impl Descriptor {
    /// A media type to be kept, in lower case: the few that nearly all manifests have take no memory.
    #[must_use]
    pub fn known_media_type(text: &str) -> Cow<'static, str> {
        match MEDIA_TYPES.iter().find(|known| known.eq_ignore_ascii_case(text)) {
            Some(known) => Cow::Borrowed(*known),
            None => Cow::Owned(text.to_ascii_lowercase()),
        }
    }

    /// Whether the manifest is an index (a "manifest list" in Docker's words).
    #[must_use]
    pub fn is_index(&self) -> bool {
        Self::is_of_index(&self.media_type)
    }

    /// Whether this media type, in lower case, is that of an index.
    #[must_use]
    pub fn is_of_index(media_type: &str) -> bool {
        matches!(media_type, OCI_IMAGE_INDEX | DOCKER_MANIFEST_LIST)
    }
}

impl From<Image> for StoredImage {
    fn from(image: Image) -> Self {
        let children = image.identity.children().cloned();
        Self { polled: image.polled, children, identity: None }
    }
}

impl From<StoredImage> for Image {
    fn from(stored: StoredImage) -> Self {
        let StoredImage { polled, children, identity } = stored;
        match identity {
            Some(identity) => Self { identity, polled },
            None => Self::new(polled, children),
        }
    }
}

fn read_media_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'static, str>, D::Error> {
    Ok(Descriptor::known_media_type(&Cow::<'de, str>::deserialize(deserializer)?))
}

impl Identity {
    /// Whether this identity has a platform that `stored` lacks or has otherwise.
    ///
    /// Another name for the same platform, `linux/arm64/v8` for `linux/arm64`, changes nothing where the manifest stays
    /// the same. A platform that vanishes changes nothing, nor does its return unchanged. Where one side's platforms are not known,
    /// the digests decide (D13).
    #[must_use]
    pub fn differs_from(&self, stored: &Self) -> bool {
        match (self.children(), stored.children()) {
            (Some(new), Some(old)) => new.iter().any(|(platform, digest)| {
                !old.iter().any(|(known, stored)| stored == digest && known.means(platform))
            }),
            (Some(_) | None, Some(_) | None) => self.moved_from(stored),
        }
    }

    /// Whether the digest is another one. A v2 registry that seems to be a v1 one is no news: a proxy's error page can look
    /// like that (D10).
    #[must_use]
    pub fn moved_from(&self, stored: &Self) -> bool {
        match (self, stored) {
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

    /// What is in the index, if it is one and was read.
    #[must_use]
    pub fn children(&self) -> Option<&Children> {
        match self {
            Self::Index { children, .. } => children.as_ref(),
            Self::Digest(_) | Self::V1Tag => None,
        }
    }

    /// Takes in what is in an index, if this is that one and it was not known. Answers whether it was news.
    pub fn learn(&mut self, read: &Digest, what: &Children) -> bool {
        match self {
            Self::Index { digest, children: children @ None } if digest == read => {
                *children = Some(what.clone());
                true
            }
            Self::Index { .. } | Self::Digest(_) | Self::V1Tag => false,
        }
    }

    /// What is stored after a move to `new` that was no news. A platform that vanished is remembered, so that its return
    /// is none either; but only as long as there is room, because names can come and go for ever.
    #[must_use]
    pub fn followed_by(&self, new: &Self) -> Self {
        let (old, digest, children) = match (self, new) {
            (Self::Index { children: old, .. }, Self::Index { digest, children }) => (old, digest, children),
            // The same image, alone or in an index; so an import has it.
            (Self::Index { .. }, Self::Digest(_))
            | (Self::Digest(_), Self::Index { .. } | Self::Digest(_)) => {
                return new.clone();
            }
            (Self::V1Tag, _) | (_, Self::V1Tag) => return self.clone(),
        };
        let children = match (old, children) {
            (Some(old), Some(new)) => {
                let mut both = old.clone();
                both.extend(new.iter().map(|(platform, digest)| (platform.clone(), digest.clone())));
                Some(if both.len() <= MOST_CHILDREN { both } else { new.clone() })
            }
            (Some(old), None) if self.digest() == Some(digest) => Some(old.clone()),
            (Some(_) | None, new) => new.clone(),
        };
        Self::Index { digest: digest.clone(), children }
    }
}
