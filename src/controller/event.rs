//! What comes in, what goes out: the one door of the controller.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::build::BuildSpec;
use super::key::{BuildKey, ConfigKey};
use super::pause::{Pausable, PausedBy, ResumedBy};
use super::record::{BuiltImage, CancelReason, Outcome, Phase, Record, Urgency};
use super::settings::Settings;
use super::start::{Rebuild, Start};
use crate::image::{Digest, Found, ImageId, Platform, TagRef};

/// The two clocks, read once by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// For what is stored and shown.
    pub wall: Timestamp,
    /// Since the process started; never jumps.
    pub mono: Duration,
}

/// Everything that can change the daemon's mind.
#[derive(Debug, Clone)]
pub enum Event {
    /// The state was opened: what was running is looked for, before anything else.
    Boot,
    /// A configuration takes effect.
    Load {
        /// What to decide by from now on.
        settings: Arc<Settings>,
        /// Whether what is unknown now was known before a loss of state, and must not be built (D16).
        after_loss: bool,
    },
    /// A look at a tag succeeded.
    Observed {
        /// Which tag.
        tag: TagRef,
        /// What it points to.
        found: Found,
    },
    /// A look at a tag did not succeed, or none is to come. It fires and clears nothing (D17).
    Unresolved {
        /// Which tag.
        tag: TagRef,
        /// Whether its registry is known to be a v2 one all the same.
        is_v2: bool,
    },
    /// The runner started an attempt.
    Accepted {
        /// Whose attempt.
        build: BuildKey,
        /// Which one.
        attempt: u32,
        /// How the runner finds it again.
        handle: Box<str>,
    },
    /// An attempt is over.
    Ended(Ended),
    /// A person or a webhook asks for a build.
    Start(Box<Start>),
    /// A person asks for an earlier build to be made again.
    Rebuild(Box<Rebuild>),
    /// A person lets held first builds go.
    Release(Release),
    /// A person pauses triggers: their tags are looked at, and start nothing (S18).
    Pause {
        /// Which.
        what: Pausable,
        /// Why, for others to read.
        reason: Option<Box<str>>,
        /// When they go on by themselves.
        until: Option<Timestamp>,
    },
    /// A person lets triggers go on.
    Resume(Pausable),
    /// A person calls a build off.
    Cancel {
        /// Which one.
        build: BuildKey,
    },
    /// Nothing is started from now on.
    Drain,
    /// Time passed, or something changed: start what can be started.
    Tick,
}

/// The end of an attempt.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Whose attempt.
    pub build: BuildKey,
    /// Which one.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// What it says it made.
    pub images: Vec<BuiltImage>,
    /// The commit of the source code that it says it made that of.
    pub commit: Option<Box<str>>,
    /// The last lines it printed, for the log.
    pub tail: Vec<String>,
    /// How long it ran.
    pub elapsed: Duration,
}

/// Which held configs are let go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// Every one.
    All,
    /// These.
    These(Vec<ConfigKey>),
}

/// A decision: what to store, and what follows from it once it is stored.
#[derive(Debug, Clone, Default)]
pub struct Transition {
    /// Stored together or not at all.
    pub records: Vec<Record>,
    /// What new builds are given: files that are written before the records that name them.
    pub specs: Vec<BuildSpec>,
    /// What is done once the records are stored, never before.
    pub effects: Vec<Effect>,
    /// What is told once the records are stored. Best effort.
    pub notes: Vec<Note>,
    /// Changes of what is not stored.
    pub volatile: Vec<Volatile>,
}

/// What a decision does to the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Start this attempt.
    Start(AttemptRef),
    /// This attempt may be alive from before a restart: find it, or say that it is gone.
    Adopt(AttemptRef),
    /// End this attempt; its end is reported as for any other.
    Cancel(AttemptRef),
    /// The end of this attempt is stored: its runner need not remember it any longer.
    Acknowledge(AttemptRef),
    /// A build's record was deleted: its files go too.
    Discard(BuildKey),
}

/// One attempt of one build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRef {
    /// The build's name.
    pub build: BuildKey,
    /// The build's id.
    pub id: Uuid,
    /// Which attempt.
    pub attempt: u32,
    /// The socket runner that has it, by name; none is the exec runner.
    pub runner: Option<Box<str>>,
    /// What the runner called it before a restart. None where there was none since: the runner knows by itself.
    pub handle: Option<Box<str>>,
}

/// A change of state that lives only as long as the process.
#[derive(Debug, Clone)]
pub enum Volatile {
    /// These settings hold now, from this monotonic instant on.
    Settings(Arc<Settings>, Duration),
    /// This tag was looked at for the first time since the load.
    Looked(TagRef),
    /// The wait for first looks is over.
    PatienceEnded,
    /// These configs, and no others, are to be evaluated at the next tick.
    Dirty(BTreeSet<ConfigKey>),
    /// Nothing is started any more.
    Draining,
}

/// What there is to tell, one line each. The names and fields are the log's contract (docs/events.md).
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the log, told once in docs/events.md")]
pub enum Note {
    TagResolved {
        tag: TagRef,
        digest: Option<Digest>,
        reference: Box<str>,
    },
    V1FiresOnce {
        tag: TagRef,
        image_id: ImageId,
    },
    ImageChanged {
        tag: TagRef,
        digest: Option<Digest>,
        old_digest: Option<Digest>,
        fan_out: usize,
        held: usize,
        seen_before: bool,
    },
    IndexMoved {
        tag: TagRef,
        digest: Option<Digest>,
        old_digest: Option<Digest>,
    },
    TagHeld {
        tag: TagRef,
        digest: Option<Digest>,
        platforms: Vec<Platform>,
    },
    TriggerFired {
        config: ConfigKey,
        build: BuildKey,
        tag: TagRef,
        digest: Option<Digest>,
        old_digest: Option<Digest>,
    },
    TriggerSwallowed {
        config: ConfigKey,
        build: BuildKey,
        tag: TagRef,
        digest: Option<Digest>,
    },
    TriggerRecorded {
        config: ConfigKey,
        tag: TagRef,
        digest: Option<Digest>,
    },
    TriggerPaused {
        config: ConfigKey,
        tag: Option<TagRef>,
        by: PausedBy,
        reason: Option<Box<str>>,
        until: Option<Timestamp>,
    },
    TriggerResumed {
        config: ConfigKey,
        tag: Option<TagRef>,
        by: ResumedBy,
    },
    ChangePending {
        config: ConfigKey,
        tag: TagRef,
        digest: Option<Digest>,
        reason: HoldReason,
    },
    BuildsHeld {
        held: usize,
        hold_above: usize,
    },
    BuildsReleased {
        released: usize,
    },
    BuildQueued {
        build: BuildKey,
        urgency: Urgency,
    },
    BuildStarted {
        build: BuildKey,
        attempt: u32,
    },
    BuildRetrying {
        build: BuildKey,
        attempt: u32,
        outcome: Outcome,
        wait: Duration,
        tail: Vec<String>,
    },
    BuildSuperseded {
        build: BuildKey,
        by: BuildKey,
    },
    BuildCancelled {
        build: BuildKey,
        reason: CancelReason,
    },
    BuildInterrupted {
        build: BuildKey,
        attempt: u32,
    },
    BuildFinished(Finished),
}

/// The end of a build, told exactly once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the log, told once in docs/events.md")]
pub struct Finished {
    pub build: BuildKey,
    pub phase: Phase,
    pub outcome: Option<Outcome>,
    pub attempts: u32,
    /// Of the attempt that ended it; zero if none did.
    pub elapsed: Duration,
    pub failures_in_row: u32,
    /// What the build says it made, and of which commit.
    pub images: Vec<BuiltImage>,
    pub commit: Option<Box<str>>,
    pub tail: Vec<String>,
}

/// Why a trigger that would fire does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldReason {
    /// A person paused it.
    Paused,
    /// Too many configs would build for the first time at once (D14).
    FirstStart,
    /// A tag of the config was not looked at since the last load: a first build then has all its images (F14).
    FirstLook,
    /// The strategy's own tag was never resolved, and a build must have it pinned (F18).
    StrategyUnresolved,
    /// The image lacks a platform that the trigger is for: builds for single platforms end one by one (D13).
    PlatformMissing,
    /// Nobody looked into the index yet for the platforms that the trigger is for: a reload named them since (D13).
    PlatformsUnknown,
}

impl Transition {
    /// Whether there is anything to store.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        !self.records.is_empty()
    }

    /// Whether it changes nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.effects.is_empty()
            && self.notes.is_empty()
            && self.volatile.is_empty()
    }
}

impl HoldReason {
    /// As the log and the command line print it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::FirstStart => "first_start",
            Self::FirstLook => "first_look",
            Self::StrategyUnresolved => "strategy_unresolved",
            Self::PlatformMissing => "platform_missing",
            Self::PlatformsUnknown => "platforms_unknown",
        }
    }
}
