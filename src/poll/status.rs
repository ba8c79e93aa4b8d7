//! What polling can say about itself.

use std::time::Duration;

use jiff::Timestamp;

use super::{Condition, Limits, Stretched};
use crate::image::TagRef;

/// How every tag and every host is doing.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Each polled tag, host by host.
    pub tags: Vec<TagStatus>,
    /// Each host, in the order of the plan.
    pub hosts: Vec<HostStatus>,
}

/// How one tag is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagStatus {
    /// Which tag.
    pub tag: TagRef,
    /// How long until the next poll begins: zero if it is due and waits for its host, `None` if there is none.
    pub next_poll: Option<Duration>,
    /// When a poll last brought a digest, since polling began.
    pub last_success: Option<Timestamp>,
    /// What is wrong with it.
    pub condition: Option<Condition>,
}

/// How one host is doing.
#[derive(Debug, Clone, PartialEq)]
pub struct HostStatus {
    /// Which host.
    pub host: String,
    /// How often it may be asked.
    pub limits: Limits,
    /// How many polls are in flight.
    pub in_flight: usize,
    /// How many of its tags are polled.
    pub tags: usize,
    /// How many of these have a condition.
    pub failing: usize,
    /// What its budget makes of the shortest interval of its tags, if that is too short for it.
    pub stretched: Option<Stretched>,
    /// What is wrong with the host itself, or with the login there.
    pub trouble: Option<HostTrouble>,
}

/// Trouble of a host, and so of many tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostTrouble {
    /// What it is, since when, and how many polls failed for it.
    pub condition: Condition,
    /// How long it is left alone; `None` while it is asked, as one whose login was rejected.
    pub closed_for: Option<Duration>,
}
