//! Where everything stands.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Build, ConfigKey, Digest, Paused, TagRef};

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
    /// What it points to; none before the first look that succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The immutable reference that builds are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
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
}

/// An image, or a first build, that may not start yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Whose build it would be.
    pub build_config: ConfigKey,
    /// Whose image waits; none where the whole build config waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<TagRef>,
    /// `paused`, `first_start` or `strategy_unresolved`.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}
