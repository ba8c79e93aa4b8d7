//! What the controller must know of the configuration. `config` produces these; the controller owns the types.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::key::ConfigKey;
use super::source::{ImageSource, Source};
use super::strategy::Strategy;
use crate::image::{Identity, Image, Platforms, Polled, TagRef};

/// Everything the controller decides by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// In the order of the configuration; names are unique.
    pub build_configs: Vec<Arc<BuildConfig>>,
    /// How many builds may run at once, over all build configs.
    pub max_builds: usize,
    /// More first-sight builds than this at one start are held until released (D14).
    pub hold_above: usize,
}

/// A thing to build, what it is built from and what starts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildConfig {
    /// `namespace/name`.
    pub key: ConfigKey,
    /// How it is built.
    pub strategy: Strategy,
    /// The images whose moves start a build; no two watch the same tag (D11).
    pub triggers: Vec<Trigger>,
    /// A ConfigChange trigger: its first build waits for no move of an image (F36).
    pub config_change: bool,
    /// Nothing of it is built, whatever asks for it (`build_config.paused`, F22).
    pub paused: bool,
    /// How its builds run. Thousands of configs may share one.
    pub policy: Arc<Policy>,
    /// Where its source code is, if it says so.
    pub source: Option<Box<Source>>,
    /// Images whose files or names the build uses besides the one it is made from (F29). Few have any.
    pub image_sources: Box<[ImageSource]>,
    /// Where the built image goes, if it says so: a reference as written.
    pub output: Option<Box<str>>,
    /// The number of its last build elsewhere: its first one here is the next (an import with status). Mostly 0.
    pub last_version: u64,
    /// Free words for selecting, passed on to every build and event.
    pub labels: BTreeMap<String, String>,
}

/// How the builds of a config follow one another, and what becomes of each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Policy {
    /// How its builds follow one another.
    pub run_policy: RunPolicy,
    /// What a newer build pushes out of the queue.
    pub supersede: Supersede,
    /// What the first look of a trigger does.
    pub on_first: OnFirst,
    /// What happens to a build that was running when its runner went away.
    pub on_interrupt: OnInterrupt,
    /// How often a failed build is run again.
    pub retry: Retry,
    /// How long one attempt may run.
    pub timeout: Duration,
    /// How many finished builds are kept.
    pub history: History,
    /// Where they run, and what they are trusted with; nothing is the daemon's own user, and no secret.
    pub venue: Option<Box<Venue>>,
}

/// Where builds run, and what they are trusted with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Venue {
    /// The socket runner, by the name that the configuration gives it; none is the exec runner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<Box<str>>,
    /// Files whose contents the build is given: the name that it finds each by, and where the daemon finds it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<(Box<str>, Box<Path>)>,
    /// The credentials for the build's own pulls and pushes: where the daemon finds the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_file: Option<Box<Path>>,
}

/// A tag that is followed: what is polled, what it is called, and what builds are given of it. The strategy of a config
/// and a trigger of it may share one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamTag {
    /// The resolved tag: what is polled, and the key of what is stored.
    pub tag: TagRef,
    /// The tag as the configuration spells it: an image reference, or `ns/name:tag`.
    pub named: Arc<str>,
    /// The repository that builds are given in place of the tag's own: of a pull-through cache (`reference_prefix`), or of
    /// the image stream (`reference_policy = "Local"`, F11). It is never compared (D21).
    pub given: Option<Arc<str>>,
    /// Which change of an index counts (D13).
    pub platforms: Platforms,
    /// It is taken as it is written, and no registry is asked (`reference = true`, F2).
    pub unasked: bool,
}

/// An ImageChange trigger: a tag whose moves start a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// What it watches.
    pub from: Arc<StreamTag>,
    /// Still polled and shown as pending, but starts nothing (S18).
    pub paused: bool,
    /// What it last started a build for elsewhere (an import with status): where nothing is stored, this is.
    pub last: Option<Box<Identity>>,
}

/// How the builds of one config follow one another (F38).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RunPolicy {
    /// One at a time, in number order, none left out.
    Serial,
    /// One at a time; a newer build takes the place of those still waiting.
    SerialLatestOnly,
    /// All at once, but none beside one of another policy.
    Parallel,
}

/// Which waiting builds a newer one of a [`RunPolicy::SerialLatestOnly`] config replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Supersede {
    /// Only those that nothing but images caused (D18).
    Images,
    /// All of them, as OpenShift does.
    All,
}

/// What a trigger does with the first image it ever sees (D14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnFirst {
    /// It fires.
    Build,
    /// It remembers the image and builds nothing.
    Record,
}

/// What an interrupted build becomes (D3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnInterrupt {
    /// It runs again under the same build id.
    Retry,
    /// It ends in Error.
    Fail,
}

/// How often, and how far apart, a failing build is attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Retry {
    /// Runs in all, at least 1.
    pub attempts: u32,
    /// The wait before the second run; it doubles from then on.
    pub backoff: Duration,
}

/// How many finished builds a config keeps; the last Complete one is always kept (D19).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct History {
    /// Complete builds.
    pub successful: usize,
    /// Failed, Error and Cancelled builds.
    pub failed: usize,
}

impl BuildConfig {
    /// The trigger that watches `tag`.
    #[must_use]
    pub fn trigger(&self, tag: &TagRef) -> Option<&Trigger> {
        self.triggers.iter().find(|trigger| trigger.from.tag == *tag)
    }

    /// Every tag that it must know, each once: those of its triggers, and those it is built from.
    pub fn stream_tags(&self) -> impl Iterator<Item = &StreamTag> {
        let is_new = |nth: usize, from: &StreamTag| {
            let mut before = self.pinned_tags().take(nth);
            self.trigger(&from.tag).is_none() && before.all(|seen| seen.tag != from.tag)
        };
        let pinned = self.pinned_tags().enumerate().filter(move |(nth, from)| is_new(*nth, from));
        self.triggers.iter().map(|trigger| &*trigger.from).chain(pinned.map(|(_, from)| from))
    }

    /// What a build must have pinned: the strategy's own tag first, then those of its image sources (F23, F29). Two may be
    /// of one tag and count other platforms of it.
    pub fn pinned_tags(&self) -> impl Iterator<Item = &StreamTag> {
        let sources = self.image_sources.iter().filter_map(|source| source.from.stream_tag());
        self.strategy.stream_tag().into_iter().chain(sources)
    }

    /// The tags of [`BuildConfig::stream_tags`].
    pub fn tags(&self) -> impl Iterator<Item = &TagRef> {
        self.stream_tags().map(|from| &from.tag)
    }
}

impl StreamTag {
    /// What builds are given of `image`: an immutable reference (S13), or the tag itself where there is none (F2, F43).
    #[must_use]
    pub fn reference(&self, image: &Image) -> Box<str> {
        match (&image.polled, self.platforms.digest(&image.identity)) {
            (Polled::Manifest(_), Some(digest)) => {
                format!("{}@{digest}", self.given.as_deref().unwrap_or_else(|| self.tag.name())).into()
            }
            (Polled::Manifest(_) | Polled::V1(_) | Polled::Unasked, _) => image.reference(&self.tag),
        }
    }
}

impl RunPolicy {
    /// As the configuration spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serial => "Serial",
            Self::SerialLatestOnly => "SerialLatestOnly",
            Self::Parallel => "Parallel",
        }
    }
}

impl Default for Settings {
    /// Nothing to build: what a controller knows before its first load.
    fn default() -> Self {
        Self { build_configs: Vec::new(), max_builds: 0, hold_above: 0 }
    }
}
