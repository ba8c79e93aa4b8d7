//! `basewatch release`: lets held first builds go.

use super::output::Show;
use super::style::Style;
use super::{Exit, Global, client};
use crate::control::protocol::{ReleaseQuery, Released};

/// Which build configs are let go.
#[derive(Debug, clap::Args)]
pub(super) struct Release {
    /// [NAMESPACE/]NAME
    #[arg(value_name = "BUILD_CONFIG", required_unless_present = "all", conflicts_with = "all")]
    build_configs: Vec<String>,
    /// All that are held
    #[arg(long)]
    all: bool,
}

impl Release {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let query = match self.all {
            true => ReleaseQuery::All,
            false => ReleaseQuery::BuildConfigs(self.build_configs.clone()),
        };
        client::print(global, async |daemon| daemon.release(&query).await)
    }
}

impl Show for Released {
    fn show(&self, _: Style) -> String {
        match self.released.as_slice() {
            [] => "nothing was held\n".to_owned(),
            [one] => format!("released {one}\n"),
            several => format!("released {} build configs\n", several.len()),
        }
    }
}
