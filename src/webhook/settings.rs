//! What is configured of webhooks.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::controller::{ConfigKey, HookKind};

/// The `[webhook]` table, and the hooks of every build config.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where it listens; it does not if this is absent.
    pub listen: Option<SocketAddr>,
    /// How many builds of one config may be asked for in a second, on average.
    pub requests_per_second: f64,
    /// The hooks of each build config that has some; several of one kind are allowed (F31).
    pub hooks: BTreeMap<ConfigKey, Vec<Hook>>,
}

/// A webhook of a build config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Whose payload it takes.
    pub kind: HookKind,
    /// The file that holds its secret.
    pub secret_file: PathBuf,
    /// Which variables a caller may set; of a Generic hook only (F32).
    pub allow_env: AllowEnv,
}

/// Which variables a caller of a Generic hook may set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AllowEnv {
    /// None; what it sends is left out silently (F32).
    #[default]
    None,
    /// These.
    Names(Vec<String>),
    /// Any but those that can change what runs: PATH, `LD_*` and their like.
    Any,
}

impl Default for Settings {
    fn default() -> Self {
        Self { listen: None, requests_per_second: Self::REQUESTS_PER_SECOND, hooks: BTreeMap::new() }
    }
}

impl Settings {
    /// [`Settings::requests_per_second`] unless told otherwise.
    pub const REQUESTS_PER_SECOND: f64 = 2.0;
}
