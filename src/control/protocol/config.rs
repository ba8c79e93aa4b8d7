//! Build configs, and what became of them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Build, BuiltImage, ConfigKey, Digest, Held, ImageId, Pause, TagRef};

/// Which build configs are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigsQuery {
    /// Only these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<ConfigFilter>,
    /// Only those with all these labels, `key=value` lines.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub labels: String,
}

/// A kind of build config worth looking at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfigFilter {
    /// Their last complete build is not of the newest images.
    Stale,
    /// Their last build failed.
    Failed,
    /// They have a paused trigger.
    Paused,
    /// An image of theirs may not start a build.
    Held,
}

/// A build config, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// `namespace/name`.
    pub build_config: ConfigKey,
    /// The tag it is built from, in its normal spelling; none if its strategy names no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<TagRef>,
    /// What that points to now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Its id on a v1 registry, which is no digest and for information only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<ImageId>,
    /// Whether the reference may lead to another image later: so on a v1 registry, where nothing is immutable.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mutable: bool,
    /// What starts a build.
    pub triggers: Vec<Trigger>,
    /// Since when there is an image that no complete build has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_since: Option<Timestamp>,
    /// What keeps all of its builds from starting, whatever asks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// What may not start, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Held>,
    /// The newest build that is Complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_complete: Option<Build>,
    /// What that build says it made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<BuiltImage>,
    /// The newest build that is Failed or Error, of those that are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Build>,
    /// Builds in a row that ended so; 0 once one is Complete.
    pub failures_in_row: u32,
    /// Free words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// A tag whose moves start a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// Its normal spelling.
    pub tag: TagRef,
    /// It is watched, and starts nothing.
    pub paused: bool,
    /// Since when that is so, and what for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// What it last started a build for, or remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<Digest>,
    /// It is on a v1 registry: it starts a build when it is first found, and never when it moves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fires_once: bool,
    /// Since when a newer image waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_since: Option<Timestamp>,
}

/// Which held build configs are let go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseQuery {
    /// All that are held.
    All,
    /// These, each `[NAMESPACE/]NAME`.
    BuildConfigs(Vec<String>),
}

/// What was let go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// The build configs that were held until now.
    pub released: Vec<ConfigKey>,
}

impl ConfigFilter {
    /// As a query spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Failed => "failed",
            Self::Paused => "paused",
            Self::Held => "held",
        }
    }
}
