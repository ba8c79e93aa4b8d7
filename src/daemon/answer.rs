//! What the control socket answers: the controller's mind and the poller's, in the words of the protocol.
//!
//! Pure. What changes something is only checked here; the daemon then decides, stores and answers.

mod build;
mod config;
mod name;
mod pause;
mod plan;
mod rebuild;
mod reload;
mod start;
mod status;

use std::collections::HashMap;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::control::Refusal;
use crate::control::protocol::{Condition, Problem, RegistryTrouble, StoreTrouble, Stretched};
use crate::image::TagRef;
use crate::poll;
use crate::store::CommitError;

pub use build::{build, builds, check_cancel, summary};
pub use config::{check_release, configs, holds, stale_since};
pub use name::{check_poll, find_build, find_config, find_tag};
pub use pause::{check_pause, check_resume, is_paused, paused_of, pauses};
pub use plan::{Assumed, assumed, changes, compare, planned};
pub use rebuild::{check_rebuild, rebuild_of, rebuild_warnings, spec_is_gone};
pub use reload::{refused, reloaded};
pub use start::{
    check_start, not_startable, start_warnings, started, started_before, tags_to_look_at, with_fresh,
    would_start,
};
pub use status::{status, totals};

/// What the daemon knows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// When it started.
    pub started: Timestamp,
    /// Where its state is.
    pub state_dir: PathBuf,
    /// Whether it is about to stop.
    pub draining: bool,
    /// Why nothing can be decided now.
    pub store_trouble: Option<StoreTrouble>,
}

/// What the poller knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Polling {
    /// Every watched tag.
    pub tags: HashMap<TagRef, PolledTag>,
    /// Every host they are on.
    pub hosts: Vec<PolledHost>,
}

/// How the looks at a tag go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolledTag {
    /// When it is looked at next.
    pub next_poll: Option<Timestamp>,
    /// When a look last succeeded.
    pub last_success: Option<Timestamp>,
    /// What is wrong with it.
    pub condition: Option<Condition>,
}

/// How a host is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct PolledHost {
    /// `registry.example.com:5000`.
    pub host: String,
    /// What it may be asked.
    pub limits: poll::Limits,
    /// Polls under way.
    pub in_flight: usize,
    /// How often its tags are looked at, if its budget is too small for their intervals.
    pub stretched: Option<Stretched>,
    /// What is wrong with it, or with the login there.
    pub trouble: Option<RegistryTrouble>,
}

/// The answer when what was decided cannot be stored.
#[must_use]
pub fn not_stored(error: &CommitError) -> Refusal {
    Refusal::Unavailable(
        Problem::new(error.to_string()).hint("nothing was changed: mend the disk and ask again"),
    )
}

#[cfg(test)]
mod tests;
