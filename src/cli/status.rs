//! `basewatch status`: where everything stands.

use std::fmt::Write as _;

use super::output::Show;
use super::style::{Style, Tone, harmless, or_dash, short};
use super::table::Table;
use super::{Exit, Global, builds, client, pause};
use crate::control::protocol::{self, Condition, ConditionKind, Held, Registry, StatusQuery, Tag, Totals};

/// Which part of the status is wanted.
#[derive(Debug, clap::Args)]
pub(super) struct Status {
    /// Only what concerns these tags
    #[arg(value_name = "TAG")]
    tags: Vec<String>,
}

impl Status {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let query = StatusQuery { tags: self.tags.join("\n") };
        client::print(global, async |daemon| daemon.status(&query).await)
    }
}

impl Show for protocol::Status {
    fn show(&self, style: Style) -> String {
        let parts = [
            summary(self, style),
            tags(&self.tags, style),
            conditions(&self.tags),
            registries(&self.registries, style),
            held(&self.held, style),
            pause::table(&self.paused, style),
            builds::table(&self.builds, style),
        ];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("\n")
    }
}

fn summary(status: &protocol::Status, style: Style) -> String {
    let Totals { tags_ok, tags_unseen, tags_failing, stale, held, paused, queued, running, max_builds } =
        status.totals;
    let state = if status.draining { "stopping" } else { "running" };
    let head = format!("basewatch {} {state}", harmless(&status.version));
    let unseen = if tags_unseen > 0 { format!(", {tags_unseen} not seen yet") } else { String::new() };
    let trouble = status.store_trouble.as_ref().map_or_else(String::new, |trouble| {
        let line =
            format!("nothing is decided, because the state cannot be stored: {}", harmless(&trouble.error));
        format!("{}\n", style.paint(Tone::Bad, &line))
    });
    format!(
        "{}, up for {}, state in {}\n{trouble}\
         tags: {tags_ok} ok, {tags_failing} failing{unseen}; build configs: {stale} stale, {held} held, {paused} paused; \
         builds: {running} of {max_builds} running, {queued} queued\n",
        style.paint(Tone::Title, &head),
        style.since(status.started),
        harmless(&status.state_dir.display().to_string()),
    )
}

fn tags(tags: &[Tag], style: Style) -> String {
    let mut table = Table::new(["TAG", "DIGEST", "SINCE", "NEXT POLL", "CONFIGS", "CONDITION"]);
    for tag in tags {
        let condition = match &tag.condition {
            Some(condition) => (in_short(condition, style), Tone::Bad),
            None if tag.digest.is_none() && tag.image.is_none() => ("not seen yet".to_owned(), Tone::Busy),
            None => ("ok".to_owned(), Tone::Good),
        };
        table.toned_row([
            (tag.tag.to_string(), Tone::Plain),
            (or_dash(tag.digest.as_ref().map(short)), Tone::Plain),
            (or_dash(tag.since.map(|since| style.since(since))), Tone::Plain),
            (or_dash(tag.next_poll.map(|next| style.until(next))), Tone::Plain),
            (tag.build_configs.to_string(), Tone::Plain),
            condition,
        ]);
    }
    table.render(style)
}

fn in_short(condition: &Condition, style: Style) -> String {
    let kind = match condition.kind {
        ConditionKind::Missing => "missing",
        ConditionKind::Unresolved => "unresolved",
    };
    format!("{kind} for {}", style.since(condition.since))
}

/// What the registries said, in full: a table has no room for it.
fn conditions(tags: &[Tag]) -> String {
    let mut text = String::new();
    for (tag, condition) in tags.iter().filter_map(|tag| Some((tag, tag.condition.as_ref()?))) {
        let message = harmless(&condition.message);
        let looks =
            if condition.count == 1 { "1 look".to_owned() } else { format!("{} looks", condition.count) };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}: {looks} in vain: {message}", tag.tag);
    }
    text
}

fn registries(registries: &[Registry], style: Style) -> String {
    let mut table = Table::new(["REGISTRY", "TAGS", "FAILING", "IN FLIGHT", "CONNECTIONS", "REQUESTS/S"]);
    for registry in registries {
        let failing = if registry.failing > 0 { Tone::Bad } else { Tone::Plain };
        let rate =
            registry.requests_per_second.map_or_else(|| "no limit".to_owned(), |rate| rate.to_string());
        table.toned_row([
            (registry.host.clone(), Tone::Plain),
            (registry.tags.to_string(), Tone::Plain),
            (registry.failing.to_string(), failing),
            (registry.in_flight.to_string(), Tone::Plain),
            (registry.max_connections.to_string(), Tone::Plain),
            (rate, Tone::Plain),
        ]);
    }
    table.render(style)
}

/// A first start that is held may hold thousands: they are one line here.
fn held(held: &[Held], style: Style) -> String {
    let (first, others): (Vec<&Held>, Vec<&Held>) =
        held.iter().partition(|held| held.reason == "first_start");
    let mut table = Table::new(["HELD", "TAG", "REASON", "SINCE"]);
    for held in others {
        table.row([
            held.build_config.to_string(),
            or_dash(held.tag.as_ref().map(ToString::to_string)),
            held.reason.clone(),
            style.since(held.since),
        ]);
    }
    let mut text = table.render(style);
    if let Some(since) = first.iter().map(|held| held.since).min() {
        let line = format!(
            "{} first builds are held for {}, too many at once: `basewatch release --all` lets them go",
            first.len(),
            style.since(since),
        );
        text.push_str(&style.paint(Tone::Busy, &line));
        text.push('\n');
    }
    text
}
