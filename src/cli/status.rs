//! `basewatch status`: where everything stands.

use std::fmt::Write as _;

use super::output::Show;
use super::style::{FIRES_ONCE, Style, Tone, harmless, or_dash, short_image, span};
use super::table::Table;
use super::{Exit, Global, builds, client, pause};
use crate::control::protocol::{
    self, Condition, ConditionKind, Held, Registry, RegistryTrouble, StatusQuery, Stretched, Tag, Totals,
};

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
            mutable(&self.tags),
            conditions(&self.tags, &self.registries),
            registries(&self.registries, style),
            troubles(&self.registries, style),
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
            None if tag.fires_once => (format!("ok, {FIRES_ONCE}"), Tone::Good),
            None => ("ok".to_owned(), Tone::Good),
        };
        table.toned_row([
            (tag.tag.to_string(), Tone::Plain),
            (or_dash(short_image(tag.digest.as_ref(), tag.image_id)), Tone::Plain),
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

/// The references that builds are given and that can lead elsewhere later, each with the image it led to at the last look.
fn mutable(tags: &[Tag]) -> String {
    let mut text = String::new();
    for tag in tags.iter().filter(|tag| tag.mutable) {
        let image = tag.image.as_deref().map(harmless).unwrap_or_default();
        let id = tag.image_id.map(|id| format!(", now {id}")).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}: {FIRES_ONCE}; builds are given the mutable {image}{id}", tag.tag);
    }
    text
}

/// What the registries said, in full: a table has no room for it. Where a registry itself is in trouble that is told once,
/// and not for each of its tags again.
fn conditions(tags: &[Tag], registries: &[Registry]) -> String {
    let in_trouble = registries.iter().filter(|registry| registry.trouble.is_some());
    let in_trouble: Vec<&str> = in_trouble.map(|registry| registry.host.as_str()).collect();
    let mut text = String::new();
    for (tag, condition) in tags.iter().filter_map(|tag| Some((tag, tag.condition.as_ref()?))) {
        if condition.kind == ConditionKind::Unresolved && in_trouble.contains(&tag.tag.host()) {
            continue;
        }
        let message = harmless(&condition.message);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}: {} in vain: {message}", tag.tag, looks(condition.count));
    }
    text
}

fn looks(count: u64) -> String {
    if count == 1 { "1 look".to_owned() } else { format!("{count} looks") }
}

fn registries(registries: &[Registry], style: Style) -> String {
    let mut table =
        Table::new(["REGISTRY", "TAGS", "FAILING", "IN FLIGHT", "CONNECTIONS", "REQUESTS/S", "STATE"]);
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
            state(registry, style),
        ]);
    }
    table.render(style)
}

fn state(registry: &Registry, style: Style) -> (String, Tone) {
    match (&registry.trouble, registry.stretched) {
        (Some(RegistryTrouble { closed_until: Some(until), .. }), _) => {
            (format!("left alone, back {}", style.until(*until)), Tone::Bad)
        }
        (Some(RegistryTrouble { closed_until: None, .. }), _) => ("login is of no use".to_owned(), Tone::Bad),
        (None, Some(Stretched { wanted_ms, interval_ms })) => {
            let seconds = |ms: u64| span(i64::try_from(ms / 1_000).unwrap_or(i64::MAX));
            (format!("every {}, not {}", seconds(interval_ms), seconds(wanted_ms)), Tone::Busy)
        }
        (None, None) => ("ok".to_owned(), Tone::Good),
    }
}

/// What is wrong with the registries, in full.
fn troubles(registries: &[Registry], style: Style) -> String {
    let mut text = String::new();
    for registry in registries {
        let host = harmless(&registry.host);
        if let Some(trouble) = &registry.trouble {
            let (looks, since) = (looks(trouble.count), style.since(trouble.since));
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{host}: {looks} in vain for {since}: {}", harmless(&trouble.message));
        }
    }
    text
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
            reason(held),
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

fn reason(held: &Held) -> String {
    let missing: Vec<String> = held.missing.iter().map(ToString::to_string).collect();
    if missing.is_empty() { held.reason.clone() } else { format!("{} {}", held.reason, missing.join(", ")) }
}
