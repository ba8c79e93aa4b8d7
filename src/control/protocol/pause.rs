//! What is paused, and the calls that pause and resume.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ConfigKey, TagRef};

/// Which triggers are paused or resumed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Those of these build configs, each `[NAMESPACE/]NAME`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub build_configs: Vec<String>,
    /// Or of all build configs with all these labels, `key=value` lines.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub labels: String,
    /// Only those on this tag; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// And every other way to a build of these build configs, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_builds: bool,
}

/// What is to be paused, why, and until when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseQuery {
    /// What.
    pub what: Selection,
    /// Why, for others to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it goes on by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What is to be resumed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumeQuery {
    /// What.
    pub what: Selection,
}

/// Since when something is paused, and what for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub since: Timestamp,
    /// Who said so last: `command` or `config`.
    pub by: String,
    /// What for, where a person said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it ends by itself; none for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Something that is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Whose builds.
    pub build_config: ConfigKey,
    /// Which trigger; none where all builds of the build config are paused, whatever asks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<TagRef>,
    /// Since when, and what for.
    #[serde(flatten)]
    pub pause: Pause,
}

/// What was asked to be paused, and is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pauses {
    /// Trigger by trigger.
    pub paused: Vec<Paused>,
}

/// What was paused until now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// As it was paused.
    pub resumed: Vec<Paused>,
}
