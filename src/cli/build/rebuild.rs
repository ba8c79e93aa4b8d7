//! `basewatch build rebuild`: an earlier build again, of the same images.

use super::super::start::{self, Asked};
use super::super::{Exit, Global};
use super::Name;
use crate::control::protocol::RebuildQuery;

/// Which build is made again.
#[derive(Debug, clap::Args)]
pub(in super::super) struct Rebuild {
    #[command(flatten)]
    build: Name,
    #[command(flatten)]
    asked: Asked,
}

impl Rebuild {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let query = RebuildQuery {
            build: self.build.build.clone(),
            env: self.asked.env.clone(),
            key: self.asked.key.clone(),
        };
        start::ask(global, self.asked.wait, async |daemon| daemon.rebuild(&query).await)
    }
}
