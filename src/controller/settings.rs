//! What the controller must know of the configuration. `config` produces these; the controller owns the types.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::key::ConfigKey;
use crate::image::{Platforms, TagRef};

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
    /// What starts a build; no two watch the same tag (D11).
    pub triggers: Vec<Trigger>,
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
    /// Free words for selecting, passed on to every build and event.
    pub labels: BTreeMap<String, String>,
}

/// The Command strategy: run a command on the strategy's own image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strategy {
    /// The tag the build is made from, which it gets pinned.
    pub from: TagRef,
    /// `from` as the configuration spells it.
    pub named: Arc<str>,
    /// The command; `{name}` and its like are filled in when a build is made. Thousands of configs may share one.
    pub command: Arc<[String]>,
    /// Additional environment, in the order written.
    pub env: Box<[(String, String)]>,
    /// Where the command runs; the build's own directory if absent.
    pub working_dir: Option<Box<Path>>,
}

/// An ImageChange trigger: a tag whose moves start a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// The resolved tag: what is polled, and the key of what is stored.
    pub tag: TagRef,
    /// The tag as the configuration spells it.
    pub named: Arc<str>,
    /// Still polled and shown as pending, but starts nothing (S18).
    pub paused: bool,
    /// Which change of an index counts (D13).
    pub platforms: Platforms,
}

/// How the builds of one config follow one another (F38).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunPolicy {
    /// One at a time, in number order, none left out.
    Serial,
    /// One at a time; a newer build takes the place of those still waiting.
    SerialLatestOnly,
}

/// Which waiting builds a newer one of a [`RunPolicy::SerialLatestOnly`] config replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Supersede {
    /// Only those that nothing but images caused (D18).
    Images,
    /// All of them, as OpenShift does.
    All,
}

/// What a trigger does with the first image it ever sees (D14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFirst {
    /// It fires.
    Build,
    /// It remembers the image and builds nothing.
    Record,
}

/// What an interrupted build becomes (D3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnInterrupt {
    /// It runs again under the same build id.
    Retry,
    /// It ends in Error.
    Fail,
}

/// How often, and how far apart, a failing build is attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Runs in all, at least 1.
    pub attempts: u32,
    /// The wait before the second run; it doubles from then on.
    pub backoff: Duration,
}

/// How many finished builds a config keeps; the last Complete one is always kept (D19).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        self.triggers.iter().find(|trigger| trigger.tag == *tag)
    }

    /// Every tag that it must know, each once: those of its triggers, and the one it is built from.
    pub fn tags(&self) -> impl Iterator<Item = &TagRef> {
        let from = Some(&self.strategy.from).filter(|from| self.trigger(from).is_none());
        self.triggers.iter().map(|trigger| &trigger.tag).chain(from)
    }
}

impl Default for Settings {
    /// Nothing to build: what a controller knows before its first load.
    fn default() -> Self {
        Self { build_configs: Vec::new(), max_builds: 0, hold_above: 0 }
    }
}
