//! What the daemon as a whole is told.

use std::path::PathBuf;
use std::time::Duration;

/// The `[daemon]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `[daemon] state_dir`, if the configuration names one.
    pub state_dir: Option<PathBuf>,
    /// `[daemon] socket`, if the configuration names one.
    pub socket: Option<PathBuf>,
    /// How long running builds are waited for at a stop.
    pub drain_timeout: Duration,
    /// What an image becomes that a damaged state no longer knows (D16).
    pub on_lost_state: OnLostState,
}

/// What happens to images that a damaged state no longer knows (D16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnLostState {
    /// They are remembered, and nothing is built.
    Record,
    /// They are built, as at a first start.
    Build,
}
