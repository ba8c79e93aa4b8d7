//! What is to be polled, in plain words.

use std::time::Duration;

use super::Limits;
use crate::image::TagRef;
use crate::registry::{Depth, Known};

/// Everything that is to be polled.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Each host once.
    pub hosts: Vec<HostPlan>,
}

/// The tags of one host.
#[derive(Debug, Clone, PartialEq)]
pub struct HostPlan {
    /// `registry.example.com:5000`, as it stands in references.
    pub host: String,
    /// How often it may be asked.
    pub limits: Limits,
    /// The name of the login, if there is one. It is only hashed: another login is another phase.
    pub credential: Option<String>,
    /// Each distinct tag once.
    pub tags: Vec<TagPlan>,
}

/// One tag to poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagPlan {
    /// Which tag.
    pub tag: TagRef,
    /// How often.
    pub interval: Duration,
    /// Whether it cannot wait for its slot, because it was never seen or a trigger has nothing stored.
    pub eager: bool,
    /// How long it goes on being polled at its interval.
    pub until: Until,
    /// When the index that it points to is looked into.
    pub depth: Depth,
    /// What it pointed to when it was last looked at, if it ever was.
    pub known: Option<Known>,
}

/// How long a tag is polled without being asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Until {
    /// As long as the plan has it.
    #[default]
    Gone,
    /// Until a poll succeeds, which none did yet (D8, F6). After that it is polled if somebody asks, and only then.
    Found,
    /// A poll succeeded before, so it is polled only if somebody asks.
    Asked,
}

/// How long polling goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Until it is stopped.
    Continuous,
    /// Until each tag was polled exactly once.
    Once,
}

impl Until {
    /// What holds once a poll has succeeded.
    pub(super) fn after_success(self) -> Self {
        match self {
            Self::Gone => Self::Gone,
            Self::Found | Self::Asked => Self::Asked,
        }
    }

    /// What holds in this plan for a tag that was polled as `before` in the last one.
    pub(super) fn going_on_from(self, before: Self) -> Self {
        match (self, before) {
            (Self::Found, Self::Asked) => Self::Asked,
            // Known from before it was added again, and not found since.
            (Self::Asked, Self::Found) => Self::Found,
            (now @ (Self::Gone | Self::Found | Self::Asked), _) => now,
        }
    }

    /// Whether one success is enough.
    pub(super) fn is_once(self) -> bool {
        match self {
            Self::Gone => false,
            Self::Found | Self::Asked => true,
        }
    }
}
