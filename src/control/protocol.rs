//! What is said over the control socket, which is also what `--json` prints.
//!
//! Fields are only ever added; a client skips those it does not know.

use serde::{Deserialize, Serialize};

mod build;
mod config;
mod pause;
mod plan;
mod reload;
mod start;
mod status;

pub use build::{
    Attempt, Build, BuildDetail, BuildName, Builds, BuildsQuery, BuiltImage, Cause, Image, ImageSource,
    Options, Phase, Spec,
};
pub use config::{Config, ConfigFilter, ConfigsQuery, ReleaseQuery, Released, Trigger};
pub use pause::{Pause, PauseQuery, Paused, Pauses, ResumeQuery, Resumed, Selection};
pub use plan::{
    CalledOff, InVain, Looks, Outlook, PlanAnswer, PlanQuery, Planned, PlannedBuild, PlannedChanges,
    PlannedHold, Renamed, Waiting,
};
pub use reload::{ConfigProblem, Edited, PollQuery, Polled, Refused, ReloadAnswer, Reloaded};
pub use start::{RebuildQuery, StartQuery, Started};
pub use status::{
    Condition, ConditionKind, Held, Registry, RegistryTrouble, Status, StatusQuery, StoreTrouble, Stretched,
    Tag, Totals,
};

pub use crate::controller::{
    BuildKey, CUSTOM_BASE_IMAGE, ConfigKey, Git, ImagePath, ImageUse, Person, Revision, Source,
};
pub use crate::image::{Children, Digest, ImageId, Platform, TagRef};

/// Why a call was refused, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What is wrong.
    pub error: String,
    /// What to do, where there is something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Problem {
    /// What is wrong.
    #[must_use]
    pub fn new(error: impl Into<String>) -> Self {
        Self { error: error.into(), hint: None }
    }

    /// And what to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}
