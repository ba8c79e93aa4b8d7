//! `basewatch reload`: has the daemon load its configuration anew, and waits for what comes of it.

use std::fmt::Write as _;

use super::output::{self, Show};
use super::style::{Style, Tone, harmless};
use super::{Exit, Global, client, socket};
use crate::control::protocol::{Edited, Refused, ReloadAnswer, Reloaded};

/// How many names a list shows.
const SHOWN: usize = 20;

/// Nothing to choose.
#[derive(Debug, clap::Args)]
pub(super) struct Reload {}

impl Reload {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let Self {} = self;
        let sockets = socket::candidates_for_reload(global)?;
        let answer = client::ask_at(&sockets, async |daemon| daemon.reload().await)?;
        output::print(&answer, global.json)?;
        match answer {
            ReloadAnswer::Reloaded(_) => Ok(Exit::Done),
            ReloadAnswer::Refused(_) => Ok(Exit::Config),
        }
    }
}

impl Show for ReloadAnswer {
    fn show(&self, style: Style) -> String {
        match self {
            Self::Reloaded(reloaded) => show_reloaded(reloaded, style),
            Self::Refused(refused) => show_refused(refused, style),
        }
    }
}

fn show_reloaded(reloaded: &Reloaded, style: Style) -> String {
    let mut text: String =
        reloaded.warnings.iter().map(|warning| format!("{}\n", harmless(&warning.text))).collect();
    let head = format!(
        "reloaded: build configs: {} added, {} removed, {} edited; tags: {} added, {} removed",
        reloaded.added.len(),
        reloaded.removed.len(),
        reloaded.edited.len(),
        reloaded.tags_added.len(),
        reloaded.tags_removed.len(),
    );
    text.push_str(&style.paint(Tone::Good, &head));
    text.push('\n');
    list(&mut text, "added", reloaded.added.iter().map(ToString::to_string));
    list(&mut text, "removed", reloaded.removed.iter().map(ToString::to_string));
    list(&mut text, "edited", reloaded.edited.iter().map(edited));
    list(&mut text, "registry added", reloaded.registries_added.iter().cloned());
    list(&mut text, "registry removed", reloaded.registries_removed.iter().cloned());
    list(&mut text, "registry edited", reloaded.registries_edited.iter().map(edited));
    list(&mut text, "edited", reloaded.settings.iter().cloned());
    for key in &reloaded.later {
        let line = format!("{key} takes effect at the next start of the daemon");
        text.push_str(&style.paint(Tone::Busy, &line));
        text.push('\n');
    }
    text
}

fn show_refused(refused: &Refused, style: Style) -> String {
    let mut text: String =
        refused.problems.iter().map(|problem| format!("{}\n", harmless(&problem.text))).collect();
    let line = format!("{}; the daemon goes on with the configuration it has", refused.summary);
    text.push_str(&style.paint(Tone::Bad, &line));
    text.push('\n');
    text
}

/// `default/app (run, env)`.
pub(super) fn edited(edited: &Edited) -> String {
    format!("{} ({})", edited.name, edited.keys.join(", "))
}

pub(super) fn list(text: &mut String, what: &str, names: impl ExactSizeIterator<Item = String>) {
    let more = names.len().saturating_sub(SHOWN);
    for name in names.take(SHOWN) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{what} {}", harmless(&name));
    }
    if more > 0 {
        let _ = writeln!(text, "{what} {more} more");
    }
}
