//! `basewatch poll`: has tags looked at now.

use super::output::Show;
use super::style::Style;
use super::{Exit, Global, client};
use crate::control::protocol::{PollQuery, Polled};

/// Which tags are looked at.
#[derive(Debug, clap::Args)]
pub(super) struct Poll {
    /// Only these tags [default: all that are watched]
    #[arg(value_name = "TAG")]
    tags: Vec<String>,
}

impl Poll {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let query = PollQuery { tags: self.tags.clone() };
        client::print(global, async |daemon| daemon.poll(&query).await)
    }
}

impl Show for Polled {
    fn show(&self, _: Style) -> String {
        let tags = if self.asked == 1 { "tag is" } else { "tags are" };
        format!("{} {tags} looked at now, as fast as their registries may be asked\n", self.asked)
    }
}
