//! `basewatch strategy FILE`: makes one build, as the runner's child. Nobody types it.

use std::path::PathBuf;

use super::Exit;
use crate::runner::strategy;

/// Which build is made.
#[derive(Debug, clap::Args)]
pub(super) struct Strategy {
    /// What the runner wrote down of it
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Strategy {
    /// Its end is that of the first step that fails, which may be any exit code.
    pub(super) fn run(&self) -> Exit {
        Exit::As(strategy::drive(&self.file))
    }
}
