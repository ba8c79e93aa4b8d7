//! The pinned build: what one decision froze, and what a build is given.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::key::{BuildKey, TriggerKey};
use super::settings::BuildConfig;
use crate::image::{Children, Digest, Identity, Image, ImageId, TagRef};

/// Everything a build is given, frozen when it was made: no reference in it can move (invariant 2).
///
/// It is a file beside the small [`Build`](super::Build) record, written before the record that names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildSpec {
    /// `namespace/name-number`.
    pub build: BuildKey,
    /// The same over attempts and restarts (D3).
    pub id: Uuid,
    /// When it was made.
    pub created: Timestamp,
    /// What brought it about, in the order of the config's triggers; never empty.
    pub causes: Vec<Cause>,
    /// The strategy's own image, pinned (S13).
    pub base_image: PinnedImage,
    /// The command, its placeholders filled in.
    pub command: Vec<String>,
    /// Where it runs; the build's own directory if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<PathBuf>,
    /// The strategy's environment. Values may be private: they are in this file only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(String, String)>,
    /// The config's labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How long one attempt may run.
    pub timeout: Duration,
}

/// Why a build was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Cause {
    /// A trigger's tag has another image than the trigger stored.
    ImageChange {
        /// The new image.
        image: PinnedImage,
        /// The digest the trigger had stored; none at first sight.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        old_digest: Option<Digest>,
    },
}

/// An image at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedImage {
    /// The tag it was found under, as the configuration spells it.
    pub named: Arc<str>,
    /// The tag it was found under, in its normal spelling.
    pub tag: TagRef,
    /// The immutable reference; the tag itself on a v1 registry.
    pub reference: Box<str>,
    /// Its digest; none on a v1 registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Its id on a v1 registry, for information: the reference may lead to another image by now (S27).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<ImageId>,
    /// The manifest of each of its platforms, where the index was read.
    #[serde(default, skip_serializing_if = "Children::is_empty")]
    pub platforms: Children,
}

/// What a decision found to fire, all from one look at the state (D1).
#[derive(Debug)]
pub(super) struct Firing<'a> {
    pub(super) config: &'a Arc<BuildConfig>,
    pub(super) base: &'a Image,
    pub(super) causes: Vec<Fired<'a>>,
}

/// One trigger that fires.
#[derive(Debug)]
pub(super) struct Fired<'a> {
    pub(super) key: TriggerKey,
    pub(super) named: &'a Arc<str>,
    pub(super) image: &'a Image,
    pub(super) old: Option<Identity>,
}

impl Cause {
    /// The word in `BASEWATCH_CAUSE`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ImageChange { .. } => "image-change",
        }
    }
}

impl BuildSpec {
    /// The image that `BASEWATCH_IMAGE` and its like tell of, and the digest that was stored before: of the first
    /// image cause, else the strategy's own.
    #[must_use]
    pub fn main_image(&self) -> (&PinnedImage, Option<&Digest>) {
        match self.causes.first() {
            Some(Cause::ImageChange { image, old_digest }) => (image, old_digest.as_ref()),
            None => (&self.base_image, None),
        }
    }
}

impl PinnedImage {
    fn new(tag: &TagRef, named: &Arc<str>, image: &Image) -> Self {
        Self {
            named: Arc::clone(named),
            tag: tag.clone(),
            reference: image.reference(tag),
            digest: image.identity.digest().cloned(),
            image_id: image.polled.image_id(),
            platforms: image.identity.children().cloned().unwrap_or_default(),
        }
    }
}

impl Firing<'_> {
    /// Freezes everything the build will be given.
    pub(super) fn spec(&self, build: BuildKey, id: Uuid, created: Timestamp) -> BuildSpec {
        let strategy = &self.config.strategy;
        let mut spec = BuildSpec {
            causes: self.causes.iter().map(Fired::cause).collect(),
            base_image: PinnedImage::new(&strategy.from, &strategy.named, self.base),
            command: Vec::new(),
            working_dir: None,
            env: strategy.env.to_vec(),
            labels: self.config.labels.clone(),
            timeout: self.config.timeout,
            build,
            id,
            created,
        };
        spec.command = strategy.command.iter().map(|word| fill(word, &spec)).collect();
        spec.working_dir = strategy
            .working_dir
            .as_deref()
            .map(|dir| dir.to_str().map_or_else(|| dir.to_owned(), |dir| fill(dir, &spec).into()));
        spec
    }
}

impl Fired<'_> {
    fn cause(&self) -> Cause {
        Cause::ImageChange {
            image: PinnedImage::new(&self.key.tag, self.named, self.image),
            old_digest: self.old.as_ref().and_then(Identity::digest).cloned(),
        }
    }
}

/// The placeholders of a command, in the words of product.md.
pub const PLACEHOLDERS: [&str; 6] = ["name", "namespace", "base_image", "image", "digest", "build"];

/// Fills in `{name}` and its like, in one pass: what is filled in is not looked at again, and any other brace stays
/// as it is, so that a script may use braces of its own.
fn fill(word: &str, spec: &BuildSpec) -> String {
    let (image, _) = spec.main_image();
    let mut filled = String::with_capacity(word.len());
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let value =
            after.split_once('}').and_then(|(name, tail)| Some((placeholder(name, spec, image)?, tail)));
        if let Some((value, tail)) = value {
            filled.push_str(&value);
            rest = tail;
        } else {
            filled.push('{');
            rest = after;
        }
    }
    filled.push_str(rest);
    filled
}

fn placeholder(name: &str, spec: &BuildSpec, image: &PinnedImage) -> Option<String> {
    let value = match name {
        "name" => spec.build.config.name().to_owned(),
        "namespace" => spec.build.config.namespace().to_owned(),
        "base_image" => spec.base_image.reference.to_string(),
        "image" => image.reference.to_string(),
        "digest" => image.digest.as_ref().map(ToString::to_string).unwrap_or_default(),
        "build" => spec.build.name(),
        _ => return None,
    };
    Some(value)
}
