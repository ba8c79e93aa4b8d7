//! `host/repository:tag`, in one spelling.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use oci_distribution::Reference;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Digest, plain};

/// A tag in a registry, in its one normal spelling: `debian:12` is `docker.io/library/debian:12`.
///
/// Hosts are names of the DNS, so `REG.example.com` is `reg.example.com`. This is what is watched and polled, and the key
/// of what is stored (D11). In place of a tag there may be a digest, `host/repository@sha256:…`: an image stream can have
/// a tag that is pinned to one (F6). Cloning costs a counter.
#[derive(Clone)]
pub struct TagRef {
    text: Arc<str>,
    host_end: u16,
    repository_end: u16,
}

/// Why a text is not a tag that can be watched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// The grammar of references refuses it.
    #[error("`{text}` is not an image reference ({reason}): write it as host/repository:tag")]
    Invalid {
        /// What was written.
        text: String,
        /// What the grammar says.
        reason: String,
    },
    /// `repo@sha256:…` never moves.
    #[error("`{0}` is pinned to a digest and can never move: name a tag instead")]
    Pinned(String),
}

impl TagRef {
    /// `registry.example.com:5000`, `docker.io`.
    #[must_use]
    pub fn host(&self) -> &str {
        self.text.get(..usize::from(self.host_end)).unwrap_or_default()
    }

    /// `library/debian`: the repository without its host.
    #[must_use]
    pub fn repository(&self) -> &str {
        self.text.get(usize::from(self.host_end) + 1..usize::from(self.repository_end)).unwrap_or_default()
    }

    /// `docker.io/library/debian`: the host and the repository.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text.get(..usize::from(self.repository_end)).unwrap_or_default()
    }

    /// `bookworm-slim`; the digest, if it is pinned to one. A registry takes either in the same place.
    #[must_use]
    pub fn tag(&self) -> &str {
        self.text.get(usize::from(self.repository_end) + 1..).unwrap_or_default()
    }

    /// The digest that stands in place of a tag, if one does.
    #[must_use]
    pub fn pinned_digest(&self) -> Option<Digest> {
        self.is_pinned().then(|| self.tag().parse().ok()).flatten()
    }

    /// Whether a digest stands in place of a tag, so that it can never move.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.text.as_bytes().get(usize::from(self.repository_end)) == Some(&b'@')
    }

    /// The whole, as printed and stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `text`, which named this tag, to be kept: without memory of its own if it is the one spelling.
    #[must_use]
    pub fn named(&self, text: &str) -> Arc<str> {
        if *self.text == *text { Arc::clone(&self.text) } else { text.into() }
    }

    /// The immutable reference to what this tag pointed to when it had `digest` (F30).
    #[must_use]
    pub fn pinned(&self, digest: &Digest) -> String {
        format!("{}@{digest}", self.name())
    }

    /// The repository as v1 registries name it: one without a namespace is in `library` (F42).
    #[must_use]
    pub fn v1_repository(&self) -> Cow<'_, str> {
        match self.repository() {
            repository if repository.contains('/') => repository.into(),
            repository => format!("library/{repository}").into(),
        }
    }

    /// What builds are given of a tag on a v1 registry, which has no immutable reference: the tag itself (F43).
    #[must_use]
    pub fn v1_reference(&self) -> String {
        format!("{}/{}:{}", self.host(), self.v1_repository(), self.tag())
    }

    /// Parses an image that need not be one that can move: a digest may stand in place of the tag, or behind it.
    ///
    /// # Errors
    /// If the grammar of references refuses it.
    pub fn parse_image(text: &str) -> Result<Self, ReferenceError> {
        let error = match text.parse() {
            Err(ReferenceError::Pinned(_)) => ReferenceError::Invalid {
                text: text.to_owned(),
                reason: "its digest cannot be told from its tag".to_owned(),
            },
            parsed => return parsed,
        };
        let Some((name, digest)) = text.split_once('@') else { return Err(error) };
        let digest: Digest = digest.parse().map_err(|_| error.clone())?;
        // A tag in front of the digest says nothing.
        let tag: Self = name.parse()?;
        Self::from_normal(&tag.pinned(&digest)).ok_or(error)
    }

    /// Splits a spelling that this type printed before; no grammar is run, so that opening a large state is quick.
    fn from_normal(text: &str) -> Option<Self> {
        let host_end = text.find('/')?;
        let repository_end = text.find('@').or_else(|| text.rfind(':'))?;
        let tag = text.get(repository_end + 1..)?;
        let wrong = host_end == 0 || repository_end <= host_end + 1 || tag.is_empty() || tag.contains('/');
        (!wrong).then_some(())?;
        Some(Self {
            text: text.into(),
            host_end: u16::try_from(host_end).ok()?,
            repository_end: u16::try_from(repository_end).ok()?,
        })
    }
}

impl FromStr for TagRef {
    type Err = ReferenceError;

    /// Parses what a person wrote; a missing tag is `latest`.
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let normal = match plain::normal(text) {
            Some(normal) => normal,
            None => normal_by_grammar(text)?,
        };
        Self::from_normal(&normal).ok_or_else(|| ReferenceError::Invalid {
            text: text.to_owned(),
            reason: "no repository in it".to_owned(),
        })
    }
}

/// The one spelling of any tag there can be.
pub(super) fn normal_by_grammar(text: &str) -> Result<String, ReferenceError> {
    let invalid = |reason: String| ReferenceError::Invalid { text: text.to_owned(), reason };
    let reference =
        Reference::try_from(&*with_lower_host(text)).map_err(|error| invalid(error.to_string()))?;
    if reference.digest().is_some() {
        return Err(ReferenceError::Pinned(text.to_owned()));
    }
    let tag = reference.tag().unwrap_or("latest");
    Ok(format!("{}/{}:{tag}", reference.registry(), reference.repository()))
}

/// Before the grammar runs, as that knows Docker Hub by its lower-case name only. What stands before the first slash is
/// a host if it could be none of a repository's words (distribution/reference, normalize.go).
fn with_lower_host(text: &str) -> Cow<'_, str> {
    match text.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host.eq_ignore_ascii_case("localhost") => {
            format!("{}/{rest}", host.to_ascii_lowercase()).into()
        }
        Some(_) | None => text.into(),
    }
}

impl fmt::Display for TagRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for TagRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for TagRef {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for TagRef {}

impl Hash for TagRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl PartialOrd for TagRef {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TagRef {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl Serialize for TagRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for TagRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_normal(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not host/repository:tag")))
    }
}
