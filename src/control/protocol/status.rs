//! Where everything stands.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Build, Children, ConfigKey, Digest, ImageId, Paused, Platform, TagRef};

/// Which part of the status is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusQuery {
    /// Only these tags, one a line; empty for all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tags: String,
}

/// Where everything stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The daemon's version.
    pub version: String,
    /// Since when it runs.
    pub started: Timestamp,
    /// Whether it is about to stop, and starts nothing any more.
    pub draining: bool,
    /// Where its state is.
    pub state_dir: PathBuf,
    /// Why nothing can be decided now: the state cannot be stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_trouble: Option<StoreTrouble>,
    /// How many of everything.
    pub totals: Totals,
    /// The watched tags.
    pub tags: Vec<Tag>,
    /// The hosts they are on.
    pub registries: Vec<Registry>,
    /// What may not start, and why.
    pub held: Vec<Held>,
    /// What is paused, whether anything waits for it or not.
    #[serde(default)]
    pub paused: Vec<Paused>,
    /// The builds that have not ended, running ones first, then in the order of their numbers.
    pub builds: Vec<Build>,
}

/// The state cannot be stored, and nothing follows from any decision until it can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreTrouble {
    /// For how long, in milliseconds.
    pub for_ms: u64,
    /// What came back.
    pub error: String,
}

/// How many of everything: the numbers of the hourly `summary`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Tags whose last look succeeded.
    pub tags_ok: usize,
    /// Tags that were never seen, and that no look was in vain for yet.
    pub tags_unseen: usize,
    /// Tags that cannot be resolved.
    pub tags_failing: usize,
    /// Build configs whose last complete build is not of the newest images.
    pub stale: usize,
    /// Build configs with an image that may not start a build, for another reason than a pause.
    pub held: usize,
    /// Build configs with a paused trigger.
    pub paused: usize,
    /// Builds that wait, for their turn or for the next attempt.
    pub queued: usize,
    /// Builds that run.
    pub running: usize,
    /// How many may run at once.
    pub max_builds: usize,
}

/// A watched tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Its normal spelling.
    pub tag: TagRef,
    /// What it points to; none before the first look that succeeded, and none on a v1 registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The immutable reference that builds are given; the tag itself on a v1 registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its id on a v1 registry, which is no digest and for information only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<ImageId>,
    /// Whether the reference may lead to another image later: so on a v1 registry, where nothing is immutable.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mutable: bool,
    /// It is on a v1 registry: it starts a build when it is first found, and never when it moves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fires_once: bool,
    /// The manifest of each of its platforms, where the index was read.
    #[serde(default, skip_serializing_if = "Children::is_empty")]
    pub platforms: Children,
    /// Since when it points there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When a look last succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success: Option<Timestamp>,
    /// When it is looked at next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_poll: Option<Timestamp>,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// How many build configs have a trigger on it.
    pub build_configs: usize,
}

/// A trouble that lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What kind of trouble.
    pub kind: ConditionKind,
    /// When it began.
    pub since: Timestamp,
    /// How many looks were in vain.
    pub count: u64,
    /// What the last one brought.
    pub message: String,
}

/// What kind of trouble a tag has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConditionKind {
    /// The registry says that there is no such tag.
    Missing,
    /// It cannot be looked up.
    Unresolved,
}

/// A host and what it may be asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Registry {
    /// `registry.example.com:5000`.
    pub host: String,
    /// How many tags are watched there.
    pub tags: usize,
    /// How many of them cannot be resolved.
    pub failing: usize,
    /// Polls under way.
    pub in_flight: usize,
    /// Polls that may be under way at once.
    pub max_connections: usize,
    /// Requests that may leave in a second; none for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<f64>,
    /// How often its tags are looked at, if `requests_per_second` is too low for their intervals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stretched: Option<Stretched>,
    /// What is wrong with the registry itself, or with the login there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<RegistryTrouble>,
}

/// The shortest interval of a host's tags, which its budget does not bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretched {
    /// As it is configured, in milliseconds.
    pub wanted_ms: u64,
    /// As it is kept, in milliseconds.
    pub interval_ms: u64,
}

/// A trouble that many tags have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryTrouble {
    /// A stable word for what is wrong: the `reason` of the log.
    pub reason: String,
    /// When it began.
    pub since: Timestamp,
    /// How many looks were in vain.
    pub count: u64,
    /// What the last one brought.
    pub message: String,
    /// Until when the registry is left alone; none while it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_until: Option<Timestamp>,
}

/// An image, or a first build, that may not start yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Whose build it would be.
    pub build_config: ConfigKey,
    /// Whose image waits; none where the whole build config waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<TagRef>,
    /// `paused`, `first_start`, `strategy_unresolved`, `platform_missing` or `platforms_unknown`.
    pub reason: String,
    /// The platforms that the image lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Platform>,
    /// Since when.
    pub since: Timestamp,
}
