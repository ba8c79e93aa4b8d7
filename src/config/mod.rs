//! The watch list: TOML as typed, then checked settings; every problem told at once.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::image::TagRef;
use crate::{controller, daemon, logging, poll, registry};

/// Everything that is configured, checked. Past this point nothing is optional or unchecked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What the controller decides by.
    pub controller: controller::Settings,
    /// Each distinct tag once, with the shortest of its intervals.
    pub tags: Vec<WatchedTag>,
    /// The hosts that are configured, and those that tags name, each once, with its defaults filled in.
    pub registries: BTreeMap<String, Host>,
    /// `[daemon]`, but for what the controller was given.
    pub daemon: daemon::Settings,
    /// `[log]`.
    pub log: logging::Settings,
}

/// A tag to poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedTag {
    /// Which tag.
    pub tag: TagRef,
    /// How often.
    pub interval: Duration,
}

/// What holds for one host.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// How it is asked.
    pub registry: registry::Settings,
    /// How often it may be asked.
    pub limits: poll::Limits,
}
