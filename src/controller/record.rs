//! What is stored: one small record per tag, trigger, build config, build and registry.
//!
//! Fields that come later take `#[serde(default)]`, so that an older state opens.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::event::AttemptRef;
use super::key::{BuildKey, ConfigKey, TriggerKey};
use super::pause::Pause;
use super::settings::{RunPolicy, Supersede};
use crate::image::{Digest, Found, Identity, Image, TagRef};

/// One value to store under its key, or to delete. Absolute, so applying one twice is the same as once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// What a tag points to.
    Tag(TagRef, Option<Box<TagRecord>>),
    /// What a trigger last fired for.
    Trigger(TriggerKey, Option<Box<TriggerRecord>>),
    /// What a build config has come to.
    Config(ConfigKey, Option<Box<ConfigRecord>>),
    /// A build.
    Build(BuildKey, Option<Box<Build>>),
    /// What is known about a registry, by its host as it stands in references.
    Registry(Box<str>, Option<Box<RegistryRecord>>),
}

/// What a tag points to, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagRecord {
    /// What the last successful look brought.
    pub observed: Image,
    /// When that image was first seen there.
    pub since: Timestamp,
    /// The digests it pointed to before, newest last, at most [`TagRecord::EARLIER`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Digest>,
    /// When nothing watched it any more; it is forgotten 30 days later (D19). Boxed, as few have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unwatched_since: Option<Box<Timestamp>>,
}

/// What is known about a registry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryRecord {
    /// When it was first found to be a v2 registry. It is never taken for a v1 one after that (D10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v2_since: Option<Timestamp>,
}

/// What a trigger knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerRecord {
    /// Last fired for, swallowed by a build (F17), or recorded. A trigger fires when the tag's identity differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<Identity>,
    /// A newer image that may not start a build yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Box<PendingChange>>,
    /// The state was lost: the next image is remembered, not built (D16).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub record_next: bool,
    /// What holds it back (D20).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Box<Pause>>,
    /// The `paused` that was last loaded: only a load that says otherwise is a word of the configuration (D20).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused_in_config: bool,
    /// When nothing watched it any more; it is forgotten 30 days later (D19). Boxed, as few have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unwatched_since: Option<Box<Timestamp>>,
}

/// A change that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingChange {
    /// The newest image that waits.
    pub identity: Identity,
    /// When the first of the changes that wait was seen: how long the last build has been stale.
    pub since: Timestamp,
}

/// What a build config has come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigRecord {
    /// The number of the newest build; 0 before the first.
    pub last_number: u64,
    /// Whether its first builds wait for a person (D14).
    #[serde(default, skip_serializing_if = "FirstStart::is_none")]
    pub first_start: FirstStart,
    /// Builds in a row that ended Failed or Error.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures_in_row: u32,
    /// A ConfigChange trigger starts nothing any more: the state was lost, and nobody knows what was built (D16).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub config_known: bool,
    /// The `paused` that was last loaded: only a load that says otherwise is a word of the configuration (D20).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused_in_config: bool,
    /// What holds back all of its builds, whatever asks for them (D20). Boxed, as few have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Box<Pause>>,
}

/// Where a config stands with the guard against a storm of first builds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FirstStart {
    /// Never held.
    #[default]
    None,
    /// Held since then.
    Held(Timestamp),
    /// A person let it go; it is not held again.
    Released,
}

/// A build, in short: enough to decide by. What it is given is its [`BuildSpec`](super::BuildSpec), a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// The same over attempts and restarts.
    pub id: Uuid,
    /// What brought it about, which is also its place in the queue.
    pub urgency: Urgency,
    /// Frozen when it was made (F38).
    pub run_policy: RunPolicy,
    /// Frozen when it was made.
    pub supersede: Supersede,
    /// The socket runner that it runs in, by name, frozen when it was made; none is the exec runner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<Box<str>>,
    /// When it was made.
    pub created: Timestamp,
    /// What who asked for it calls it: asked for again by that name, it is the same build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Box<str>>,
    /// When it reached a terminal phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Where it stands.
    pub phase: Phase,
    /// How many attempts were started.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// How many of them were cut off through no fault of the build.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub interruptions: u32,
    /// A person asked for it to stop; stored, so that a crash does not bring it back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancel_asked: bool,
    /// The newest attempts, oldest first, at most [`Build::ATTEMPTS_KEPT`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Attempt>,
    /// What the build says it made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<BuiltImage>,
    /// The commit of the source code that the build says it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Box<str>>,
}

/// What brought a build about, most urgent first: the order of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    /// A person asked.
    Manual,
    /// A person asked for an earlier build to be made again.
    Rebuild,
    /// A webhook asked.
    Webhook,
    /// An image moved.
    ImageChange,
    /// The config was never built.
    ConfigChange,
    /// A trigger saw its tag for the first time.
    FirstSight,
}

/// Where a build stands. Terminal phases never change (F37).
///
/// ```text
///          ┌───────────────── interrupted ────────────────┐
///          ▼                                              │
///  made ─ New ──────────────────────────────────────── Running ──▶ Complete
///          │  ╲                                       ▲   │  ╲
///          │   ╲── cancelled, superseded ─▶ Cancelled │   │   ╲──▶ Failed, Error, Cancelled
///          │                                          │   ▼ failed, runs left
///          │                                          └ Pending ─▶ Failed (a newer image build), Cancelled
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// In the queue.
    New,
    /// Failed, and waits for its next attempt.
    Pending {
        /// When the wait began.
        since: Timestamp,
        /// How long it is.
        wait: Duration,
    },
    /// An attempt is to be started, or was.
    Running,
    /// Exit code 0.
    Complete,
    /// The last attempt failed.
    Failed(Failure),
    /// It could not be run.
    Error(Box<str>),
    /// Called off, and why.
    Cancelled(CancelReason),
}

/// How a command failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// It exited with this code, not 0.
    Exit(i32),
    /// A signal ended it.
    Signal(i32),
    /// It ran longer than its timeout and was ended.
    DeadlineExceeded,
}

/// Who or what called a build off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// A person.
    Asked,
    /// A newer build of the same config, by its number.
    Superseded(u64),
    /// Its build config is no longer there.
    ConfigRemoved,
}

/// One run of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    /// When the decision to start it was made.
    pub started: Timestamp,
    /// What the runner calls it; none between the decision and the runner's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<Box<str>>,
    /// How it ended; none while it may be alive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Exit code 0.
    Complete,
    /// The command failed.
    Failed(Failure),
    /// The command could not be started, and why.
    NotStarted(Box<str>),
    /// It was cut off through no fault of its own: the daemon stopped or died.
    Interrupted,
    /// It was ended because a person asked.
    Cancelled,
}

/// An image a build says it made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltImage {
    /// Where it was pushed to.
    pub reference: Box<str>,
    /// Its digest there.
    pub digest: Digest,
}

impl TagRecord {
    /// How many earlier digests are kept: enough to tell a rollback from a new image.
    pub const EARLIER: usize = 8;

    /// The image that triggers look at. Today it is what was observed; a gate will stand between the two.
    #[must_use]
    pub fn admitted(&self) -> &Image {
        &self.observed
    }
}

impl TriggerRecord {
    /// With what a look told of the indexes that are stored here; `None` if that is nothing new.
    #[must_use]
    pub fn learned_from(&self, found: &Found) -> Option<Self> {
        found.read().next()?;
        let mut new = self.clone();
        let mut learned = false;
        for (digest, children) in found.read() {
            let pending = new.pending.as_mut().map(|pending| &mut pending.identity);
            for identity in new.stored.as_mut().into_iter().chain(pending) {
                learned |= identity.learn(digest, children);
            }
        }
        learned.then_some(new)
    }
}

impl FirstStart {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

impl Build {
    /// Its newest attempt, and what would find that again after a restart, if anything was told.
    pub(super) fn attempt(&self, key: &BuildKey, handle: Option<Box<str>>) -> AttemptRef {
        let (build, runner) = (key.clone(), self.runner.clone());
        AttemptRef { build, id: self.id, attempt: self.attempts, runner, handle }
    }

    /// How many attempts a record keeps, so that it stays small.
    pub const ATTEMPTS_KEPT: usize = 8;
    /// How many built images a record keeps.
    pub const IMAGES_KEPT: usize = 8;
    /// How long the name may be that who asks for a build gives it, in bytes.
    pub const LONGEST_KEY: usize = 128;

    /// Whether nothing but images brought it about.
    #[must_use]
    pub fn only_images(&self) -> bool {
        match self.urgency {
            Urgency::ImageChange | Urgency::FirstSight => true,
            Urgency::Manual | Urgency::Rebuild | Urgency::Webhook | Urgency::ConfigChange => false,
        }
    }

    /// Whether `attempt` is the one that may be alive now.
    #[must_use]
    pub fn is_running(&self, attempt: u32) -> bool {
        self.phase == Phase::Running && self.attempts == attempt
    }
}

impl Phase {
    /// Whether this is the end of the build.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::New | Self::Pending { .. } | Self::Running => false,
            Self::Complete | Self::Failed(_) | Self::Error(_) | Self::Cancelled(_) => true,
        }
    }

    /// Whether the build ended and did not succeed.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Failed(_) | Self::Error(_) => true,
            Self::New | Self::Pending { .. } | Self::Running | Self::Complete | Self::Cancelled(_) => false,
        }
    }

    /// The phase as OpenShift spells it (F37).
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::New => "New",
            Self::Pending { .. } => "Pending",
            Self::Running => "Running",
            Self::Complete => "Complete",
            Self::Failed(_) => "Failed",
            Self::Error(_) => "Error",
            Self::Cancelled(_) => "Cancelled",
        }
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
