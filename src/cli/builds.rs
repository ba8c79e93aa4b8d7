//! `basewatch builds`: newest first.

use super::output::Show;
use super::style::{Style, Tone, or_dash, span, tone};
use super::table::Table;
use super::{Exit, Global, client};
use crate::control::protocol::{self, Build, BuildsQuery};

/// Which builds are wanted.
#[derive(Debug, clap::Args)]
pub(super) struct Builds {
    /// Only those of this build config, [NAMESPACE/]NAME
    #[arg(long, value_name = "NAME")]
    build_config: Option<String>,
}

impl Builds {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let query = BuildsQuery { build_config: self.build_config.clone() };
        client::print(global, async |daemon| daemon.builds(&query).await)
    }
}

impl Show for protocol::Builds {
    fn show(&self, style: Style) -> String {
        if self.builds.is_empty() {
            return "no builds\n".to_owned();
        }
        let mut text = table(&self.builds, style);
        if self.left_out > 0 {
            let more = format!("and {} older ones: name a --build-config to see its own\n", self.left_out);
            text.push_str(&more);
        }
        text
    }
}

/// The builds as rows.
pub(super) fn table(builds: &[Build], style: Style) -> String {
    let mut table = Table::new(["BUILD", "PHASE", "CAUSE", "AGE", "TOOK", "ATTEMPTS", "REASON"]);
    for build in builds {
        table.toned_row([
            (build.build.to_string(), Tone::Plain),
            (format!("{:?}", build.phase), tone(build.phase)),
            (build.cause.clone(), Tone::Plain),
            (style.since(build.created), Tone::Plain),
            (or_dash(took(build, style)), Tone::Plain),
            (build.attempts.to_string(), Tone::Plain),
            (or_dash(why(build, style)), Tone::Plain),
        ]);
    }
    table.render(style)
}

fn took(build: &Build, style: Style) -> Option<String> {
    let until = build.ended.unwrap_or(style.now);
    Some(span(until.as_second() - build.started?.as_second()))
}

/// Why a build is where it is.
pub(super) fn why(build: &Build, style: Style) -> Option<String> {
    match build.next_attempt {
        Some(next) => Some(format!("next attempt {}", style.until(next))),
        None if build.cancel_asked && build.ended.is_none() => Some("is being stopped".to_owned()),
        None => build.reason.clone(),
    }
}
