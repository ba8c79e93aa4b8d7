//! Builds that a person asks for, and earlier ones made again.

use serde::{Deserialize, Serialize};

use super::{Build, Spec};

/// A build that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartQuery {
    /// Of which build config: `[NAMESPACE/]NAME`.
    pub build_config: String,
    /// Variables that it is given besides the strategy's, or in their place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(String, String)>,
    /// What who asks calls it: asked for again by that name, it is the same build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The registries are asked first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refresh: bool,
    /// It is only told what the build would be given: nothing is stored, and nothing starts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// An earlier build that is to be made again, of the same images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebuildQuery {
    /// Which one: `[NAMESPACE/]NAME-NUMBER`.
    pub build: String,
    /// Variables that it is given besides those of the earlier one, or in their place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(String, String)>,
    /// As in [`StartQuery::key`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// The build that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// In short.
    pub build: Build,
    /// It was asked for by the same key before, and nothing was made now.
    pub existed: bool,
    /// It is only what would be: there is no such build.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// What it would be given, where only that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<Spec>,
    /// What of the question has another effect than one may think.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}
