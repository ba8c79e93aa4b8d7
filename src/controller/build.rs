//! The pinned build: what one decision froze, and what a build is given.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::environment;
use super::key::BuildKey;
use super::settings::{BuildConfig, StreamTag, Venue};
use super::source::{HookKind, PinnedSource, Revision, Source};
use super::strategy::{Strategy, StrategyKind, StrategyOptions};
use crate::image::{Children, Digest, Image, ImageId, TagRef};

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
    /// What brought it about, images in the order of the config's triggers; never empty.
    pub causes: Vec<Cause>,
    /// Which of OpenShift's strategies it is.
    #[serde(default)]
    pub strategy: StrategyKind,
    /// What else the strategy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Box<StrategyOptions>>,
    /// The strategy's own image, pinned (S13); none if it is made from nothing that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_image: Option<PinnedImage>,
    /// Where the source code is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<Source>>,
    /// Which revision of the source code it is of, if somebody told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Box<Revision>>,
    /// The other images that it uses, pinned (F29).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_sources: Vec<PinnedSource>,
    /// Where the built image goes, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Box<str>>,
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
    /// Where it runs, and what it is trusted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub venue: Option<Box<Venue>>,
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
    /// A webhook asked for it.
    Webhook {
        /// Whose it is.
        hook: HookKind,
    },
    /// A person asked for it.
    Manual,
    /// The config was never built before (F36).
    ConfigChange,
    /// A person asked for an earlier build to be made again from the same images (F35).
    Rebuild {
        /// The earlier build.
        of: BuildKey,
    },
}

/// An image at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedImage {
    /// The tag it was found under, as the configuration spells it.
    pub named: Arc<str>,
    /// The tag it was found under, in its normal spelling.
    pub tag: TagRef,
    /// The immutable reference; the tag itself where there is none.
    pub reference: Box<str>,
    /// Its digest; none on a v1 registry, nor of an image that is taken as it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Its id on a v1 registry, for information: the reference may lead to another image by now (S27).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<ImageId>,
    /// The manifest of each of its platforms, where the index was read.
    #[serde(default, skip_serializing_if = "Children::is_empty")]
    pub platforms: Children,
}

/// What a build is made of, all from one look at the state (D1).
#[derive(Debug)]
pub(super) struct Making<'a> {
    pub(super) config: &'a BuildConfig,
    pub(super) base: Option<PinnedImage>,
    pub(super) image_sources: Vec<PinnedSource>,
    pub(super) causes: Vec<Cause>,
    /// What who asked for it adds to the environment, or puts in place of the strategy's own (F27).
    pub(super) env: &'a [(String, String)],
    pub(super) revision: Option<&'a Revision>,
}

impl Cause {
    /// The word in `BASEWATCH_CAUSE`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ImageChange { .. } => "image-change",
            Self::Webhook { .. } => "webhook",
            Self::Manual => "manual",
            Self::ConfigChange => "config-change",
            Self::Rebuild { .. } => "rebuild",
        }
    }
}

impl BuildSpec {
    /// The image that `BASEWATCH_IMAGE` and its like tell of, and the digest that was stored before: of the first
    /// image cause, else the strategy's own, if it has one.
    #[must_use]
    pub fn main_image(&self) -> Option<(&PinnedImage, Option<&Digest>)> {
        let moved = self.causes.iter().find_map(|cause| match cause {
            Cause::ImageChange { image, old_digest } => Some((image, old_digest.as_ref())),
            Cause::Webhook { .. } | Cause::Manual | Cause::ConfigChange | Cause::Rebuild { .. } => None,
        });
        moved.or_else(|| self.base_image.as_ref().map(|base| (base, None)))
    }
}

impl PinnedImage {
    /// What `from` points to, as builds are given it.
    pub(super) fn new(from: &StreamTag, image: &Image) -> Self {
        Self {
            named: Arc::clone(&from.named),
            tag: from.tag.clone(),
            reference: from.reference(image),
            digest: from.platforms.digest(&image.identity).cloned(),
            image_id: image.polled.image_id(),
            platforms: image.identity.children().cloned().unwrap_or_default(),
        }
    }

    /// An image that is handed on as it is written.
    pub(super) fn as_written(text: &Arc<str>, tag: &TagRef) -> Self {
        Self {
            named: Arc::clone(text),
            tag: tag.clone(),
            reference: (&**text).into(),
            digest: tag.pinned_digest(),
            image_id: None,
            platforms: Children::new(),
        }
    }
}

impl Making<'_> {
    /// Freezes everything the build will be given.
    pub(super) fn spec(&self, build: BuildKey, id: Uuid, created: Timestamp) -> BuildSpec {
        let BuildConfig { strategy, policy, source, output, labels, .. } = self.config;
        let mut spec = BuildSpec {
            causes: self.causes.clone(),
            strategy: strategy.kind,
            options: strategy.options.clone(),
            base_image: self.base.clone(),
            source: source.clone(),
            revision: self.revision.cloned().map(Box::new),
            image_sources: self.image_sources.clone(),
            output: output.clone(),
            command: Vec::new(),
            working_dir: None,
            env: strategy.env.to_vec(),
            labels: labels.clone(),
            timeout: policy.timeout,
            venue: policy.venue.clone(),
            build,
            id,
            created,
        };
        environment::merge(&mut spec, self.env);
        (spec.command, spec.working_dir) = filled(strategy, &spec);
        spec
    }
}

impl BuildSpec {
    /// The same images and the same source for another build, with `env` besides (F35). Its command is the same too; only
    /// where the config still says what this build was given, what it says is filled in anew.
    pub(super) fn again(
        &self,
        config: &BuildConfig,
        env: &[(String, String)],
        build: BuildKey,
        id: Uuid,
        created: Timestamp,
        commit: Option<&str>,
    ) -> Self {
        let mut causes = vec![Cause::Rebuild { of: self.build.clone() }];
        causes.extend(self.causes.iter().filter(|cause| matches!(cause, Cause::ImageChange { .. })).cloned());
        // Where it runs is no input of the build: a runner that is gone by now could not make it again.
        let venue = config.policy.venue.clone();
        let mut spec = Self { build, id, created, causes, venue, ..self.clone() };
        // A directory is built as it lies there, whatever commit it was at before.
        let is_fetched = spec.source.as_ref().is_some_and(|source| source.git.is_some());
        if let Some(commit) = commit.filter(|_| is_fetched && spec.revision.is_none()) {
            spec.revision = Some(Box::new(Revision { commit: commit.into(), ..Revision::default() }));
        }
        environment::merge(&mut spec, env);
        let (command, working_dir) = filled(&config.strategy, self);
        if (&command, &working_dir) == (&self.command, &self.working_dir) {
            (spec.command, spec.working_dir) = filled(&config.strategy, &spec);
        }
        spec
    }
}

/// The command and its directory, as `strategy` has them, for a build.
fn filled(strategy: &Strategy, spec: &BuildSpec) -> (Vec<String>, Option<PathBuf>) {
    let fill_path = |dir: &Path| dir.to_str().map_or_else(|| dir.to_owned(), |dir| fill(dir, spec).into());
    let command = strategy.command.iter().map(|word| fill(word, spec)).collect();
    (command, strategy.working_dir.as_deref().map(fill_path))
}

/// The placeholders of a command, in the words of product.md.
pub const PLACEHOLDERS: [&str; 6] = ["name", "namespace", "base_image", "image", "digest", "build"];

/// Fills in `{name}` and its like, in one pass: what is filled in is not looked at again, and any other brace stays
/// as it is, so that a script may use braces of its own.
fn fill(word: &str, spec: &BuildSpec) -> String {
    let mut filled = String::with_capacity(word.len());
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let value = after.split_once('}').and_then(|(name, tail)| Some((placeholder(name, spec)?, tail)));
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

/// Where there is no image at all, what stands for it is empty.
fn placeholder(name: &str, spec: &BuildSpec) -> Option<String> {
    let reference = |image: Option<&PinnedImage>| image.map(|image| image.reference.to_string());
    let image = spec.main_image().map(|(image, _)| image);
    let value = match name {
        "name" => spec.build.config.name().to_owned(),
        "namespace" => spec.build.config.namespace().to_owned(),
        "base_image" => reference(spec.base_image.as_ref()).unwrap_or_default(),
        "image" => reference(image).unwrap_or_default(),
        "digest" => {
            image.and_then(|image| image.digest.as_ref()).map(ToString::to_string).unwrap_or_default()
        }
        "build" => spec.build.name(),
        _ => return None,
    };
    Some(value)
}
