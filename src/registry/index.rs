//! What is in an index: the manifest of each platform, as far as it tells. Pure: [`super::contents`] asks for what is
//! to be read.
//!
//! An index is a stranger's text. How many others it may lead to is bounded, and what cannot be told apart is not: then
//! the index's own digest stands for all that is in it, and any move of it counts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Deserialize;
use serde_json::Value;

use super::answer::presentable;
use super::error::Malformed;
use crate::image::{Children, Descriptor, Digest, MOST_CHILDREN, Platform};

/// An index may be in an index that is in an index; nobody has a use for more.
const DEEPEST: usize = 2;
/// How many indexes are read for one, itself included: each costs a request.
const MOST_READS: usize = 8;

const REFERENCE_TYPE: &str = "vnd.docker.reference.type";
const ATTESTATION: &str = "attestation-manifest";
/// What Docker gives to attestations, as operating system and as architecture.
const UNKNOWN: &str = "unknown";

/// What is in an index, while it is being read.
#[derive(Debug)]
pub(super) struct Contents {
    own: Digest,
    children: Children,
    /// The indexes that are yet to be read, each with the number of those around it.
    to_read: VecDeque<(Digest, usize)>,
    met: BTreeSet<Digest>,
    /// Those around the one that is being read.
    depth: usize,
    has_entries: bool,
    /// The platforms cannot be told apart, or are too many.
    is_unclear: bool,
}

/// The few parts of an index that are looked at.
#[derive(Debug, Deserialize)]
struct Index {
    manifests: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    media_type: Option<String>,
    digest: String,
    artifact_type: Option<String>,
    platform: Option<Words>,
    annotations: Option<BTreeMap<String, Value>>,
}

/// A platform as an index spells it.
#[derive(Debug, Default, Deserialize)]
struct Words {
    os: Option<String>,
    #[serde(rename = "os.version")]
    os_version: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
}

impl Contents {
    /// Of the index with this digest, which is to be read first.
    pub(super) fn of(own: &Digest) -> Self {
        Self {
            own: own.clone(),
            children: Children::new(),
            to_read: VecDeque::from([(own.clone(), 0)]),
            met: BTreeSet::from([own.clone()]),
            depth: 0,
            has_entries: false,
            is_unclear: false,
        }
    }

    /// The next index to read; none once enough is known.
    pub(super) fn next(&mut self) -> Option<Digest> {
        let (digest, depth) = self.to_read.pop_front().filter(|_| !self.is_unclear)?;
        self.depth = depth;
        Some(digest)
    }

    /// Takes in the index that was asked for.
    pub(super) fn add(&mut self, body: &[u8]) -> Result<(), Malformed> {
        let index: Index = serde_json::from_slice(body)
            .map_err(|error| Malformed::NotAnIndex(presentable(&error.to_string())))?;
        for entry in &index.manifests {
            self.has_entries = true;
            if entry.is_real() {
                self.enter(entry);
            }
            if self.is_unclear {
                break;
            }
        }
        Ok(())
    }

    /// The manifest of each platform.
    pub(super) fn into_children(self) -> Children {
        let Self { own, children, has_entries, is_unclear, .. } = self;
        if is_unclear || (children.is_empty() && has_entries) {
            return Children::from([(Platform::unnamed(&own), own)]);
        }
        children
    }

    fn enter(&mut self, entry: &Entry) {
        // Another algorithm than ours is legal.
        let Ok(digest) = entry.digest.parse::<Digest>() else {
            self.is_unclear = true;
            return;
        };
        if entry.is_index() {
            self.enter_index(digest);
            return;
        }
        let platform = entry.platform.as_ref().and_then(Words::platform);
        let platform = platform.unwrap_or_else(|| Platform::unnamed(&digest));
        // Clients take the first that fits.
        self.children.entry(platform).or_insert(digest);
        self.is_unclear |= self.children.len() > MOST_CHILDREN;
    }

    fn enter_index(&mut self, digest: Digest) {
        if !self.met.insert(digest.clone()) {
            return;
        }
        self.is_unclear |= self.depth == DEEPEST || self.met.len() > MOST_READS;
        self.to_read.push_back((digest, self.depth + 1));
    }
}

impl Entry {
    /// Whether it is an image that can run, and not what BuildKit or a signer says about one (registries.md §6).
    fn is_real(&self) -> bool {
        let annotations = self.annotations.as_ref();
        let about =
            annotations.and_then(|annotations| annotations.get(REFERENCE_TYPE)).and_then(Value::as_str);
        let is_artifact = self.artifact_type.as_ref().is_some_and(|artifact| !artifact.is_empty());
        about != Some(ATTESTATION) && !is_artifact && !self.platform.as_ref().is_some_and(Words::is_unknown)
    }

    fn is_index(&self) -> bool {
        let media_type = self.media_type.as_deref().unwrap_or_default();
        Descriptor::is_of_index(&media_type.to_ascii_lowercase())
    }
}

impl Words {
    fn is_unknown(&self) -> bool {
        self.os.as_deref() == Some(UNKNOWN) && self.architecture.as_deref() == Some(UNKNOWN)
    }

    fn platform(&self) -> Option<Platform> {
        let word = |word: &'_ Option<String>| word.clone().unwrap_or_default();
        Platform::new(
            &word(&self.os),
            &word(&self.os_version),
            &word(&self.architecture),
            &word(&self.variant),
        )
    }
}

#[cfg(test)]
mod tests;
