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
    /// When the index that it points to is looked into.
    pub depth: Depth,
    /// What it pointed to when it was last looked at, if it ever was.
    pub known: Option<Known>,
}

/// How long polling goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Until it is stopped.
    Continuous,
    /// Until each tag was polled exactly once.
    Once,
}
