//! `basewatch start`: a build now, of the images that are known or of those that the registries have.

use super::client::{self, Client, ClientError};
use super::output::{self, Show};
use super::style::{Style, Tone, harmless};
use super::{Exit, Global, wait};
use crate::control::protocol::{Phase, StartQuery, Started};

/// Which build is wanted.
#[derive(Debug, clap::Args)]
pub(super) struct Start {
    /// [NAMESPACE/]NAME
    #[arg(value_name = "BUILD_CONFIG")]
    build_config: String,
    /// Ask the registries for its tags first, and build nothing if one does not answer [default: build of what is known]
    #[arg(long)]
    refresh: bool,
    /// Only tell what the build would be given: nothing is stored, nothing starts
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
    #[command(flatten)]
    asked: Asked,
}

/// What a build is asked for with, be it new or an earlier one again.
#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    /// A variable that it is given besides the strategy's, or in its place; may be repeated
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = variable)]
    pub(super) env: Vec<(String, String)>,
    /// Wait for its end, a restart of the daemon included; done only if it is Complete. Ctrl-C leaves the build running
    #[arg(long)]
    pub(super) wait: bool,
    /// Asked for again by the same key it is the same build, as long as that is kept
    #[arg(long, value_name = "KEY")]
    pub(super) key: Option<String>,
}

impl Start {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let query = StartQuery {
            build_config: self.build_config.clone(),
            env: self.asked.env.clone(),
            key: self.asked.key.clone(),
            refresh: self.refresh,
            dry_run: self.dry_run,
        };
        ask(global, self.asked.wait, async |daemon| daemon.start(&query).await)
    }
}

/// Asks for a build, tells which one it is, and waits for its end if that is wanted.
pub(super) fn ask(
    global: &Global,
    wait: bool,
    question: impl AsyncFnOnce(Client) -> Result<Started, ClientError>,
) -> anyhow::Result<Exit> {
    let started = client::ask(global, question)?;
    if !wait {
        output::print(&started, global.json)?;
        return Ok(Exit::Done);
    }
    // JSON is one document, and that is of the end.
    if !global.json {
        output::print(&started, false)?;
    }
    let build = wait::for_end(global, &started.build)?;
    let exit = if build.phase == Phase::Complete { Exit::Done } else { Exit::Failed };
    match global.json {
        true => output::print(&Started { build, ..started }, true)?,
        false => output::print(&wait::End(build), false)?,
    }
    Ok(exit)
}

/// `NAME=VALUE`, as the daemon wants it in two parts.
fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("write NAME=VALUE".to_owned()),
    }
}

impl Show for Started {
    fn show(&self, style: Style) -> String {
        let mut text = String::new();
        for warning in &self.warnings {
            text.push_str(&style.paint(Tone::Busy, &format!("warning: {}", harmless(warning))));
            text.push('\n');
        }
        let build = &self.build.build;
        let line = match (self.existed, self.dry_run) {
            (true, _) => format!("{build} was asked for by this key before: it is {:?}\n", self.build.phase),
            (false, true) => format!("{build} would be given this; nothing was stored and nothing starts\n"),
            (false, false) => format!("{build} is queued\n"),
        };
        text.push_str(&line);
        text.extend(self.spec.iter().map(super::build::given));
        text
    }
}
