//! `basewatch pause` and `basewatch resume`: whether moves of tags start builds.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::configs::label;
use super::output::Show;
use super::style::{Style, Tone, harmless, or_dash};
use super::table::Table;
use super::{Exit, Global, client};
use crate::control::protocol::{PauseQuery, Paused, Pauses, ResumeQuery, Resumed, Selection};

/// What is paused, and for how long.
#[derive(Debug, clap::Args)]
pub(super) struct Pause {
    #[command(flatten)]
    which: Which,
    /// Why, for others to read
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// When it goes on by itself: an instant (2026-11-02T08:00:00Z) or a time from now (2h). What is paused without an
    /// end stays so until it is resumed
    #[arg(long, value_name = "TIME", value_parser = until)]
    until: Option<Timestamp>,
}

/// What goes on.
#[derive(Debug, clap::Args)]
pub(super) struct Resume {
    #[command(flatten)]
    which: Which,
}

/// Which triggers are meant.
#[derive(Debug, clap::Args)]
struct Which {
    /// [NAMESPACE/]NAME
    #[arg(value_name = "BUILD_CONFIG", required_unless_present = "labels", conflicts_with = "labels")]
    build_configs: Vec<String>,
    /// All build configs with this label; more of them must all be there
    #[arg(short = 'l', long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<String>,
    /// Only the trigger on this tag [default: every trigger]
    #[arg(long, value_name = "TAG", conflicts_with = "all_builds")]
    trigger: Option<String>,
    /// Every build, whatever asks for it
    #[arg(long)]
    all_builds: bool,
}

impl Pause {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let query =
            PauseQuery { what: self.which.selection(), reason: self.reason.clone(), until: self.until };
        client::print(global, async |daemon| daemon.pause(&query).await)
    }
}

impl Resume {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let query = ResumeQuery { what: self.which.selection() };
        client::print(global, async |daemon| daemon.resume(&query).await)
    }
}

impl Which {
    fn selection(&self) -> Selection {
        Selection {
            build_configs: self.build_configs.clone(),
            labels: self.labels.join("\n"),
            trigger: self.trigger.clone(),
            all_builds: self.all_builds,
        }
    }
}

impl Show for Pauses {
    fn show(&self, style: Style) -> String {
        table(&self.paused, style)
    }
}

impl Show for Resumed {
    fn show(&self, _: Style) -> String {
        let line = |paused: &Paused| format!("resumed {}\n", name(paused));
        match self.resumed.as_slice() {
            [] => "nothing was paused\n".to_owned(),
            some => some.iter().map(line).collect(),
        }
    }
}

/// What is paused, for how long and why; nothing if nothing is.
pub(super) fn table(paused: &[Paused], style: Style) -> String {
    let mut table = Table::new(["PAUSED", "TAG", "FOR", "UNTIL", "BY", "REASON"]);
    for Paused { build_config, tag, pause } in paused {
        let tag = tag.as_ref().map_or_else(|| "all builds".to_owned(), ToString::to_string);
        table.toned_row([
            (build_config.to_string(), Tone::Plain),
            (tag, Tone::Plain),
            (style.since(pause.since), Tone::Busy),
            (or_dash(pause.until.map(|until| style.until(until))), Tone::Plain),
            (pause.by.clone(), Tone::Plain),
            (or_dash(pause.reason.clone()), Tone::Plain),
        ]);
    }
    table.render(style)
}

fn name(paused: &Paused) -> String {
    match &paused.tag {
        Some(tag) => format!("{} on {}", paused.build_config, harmless(&tag.to_string())),
        None => format!("all builds of {}", paused.build_config),
    }
}

/// An instant, or a time from now.
fn until(text: &str) -> Result<Timestamp, String> {
    until_from(text, Timestamp::now())
}

/// An instant, or a time from `now`, in which a day has 24 hours.
pub(super) fn until_from(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return if instant > now { Ok(instant) } else { Err("it has passed".to_owned()) };
    }
    let span = text.parse::<Span>().ok().filter(|span| span.is_positive());
    let span = span.ok_or("write an instant (2026-11-02T08:00:00Z) or a time from now (2h)")?;
    let then = now.to_zoned(TimeZone::UTC).checked_add(span).map_err(|_| "it is too far away".to_owned())?;
    Ok(then.timestamp())
}
