//! `basewatch configs`: what each build config has come to.

use super::output::Show;
use super::style::{FIRES_ONCE, Style, Tone, or_dash, short, short_image};
use super::table::Table;
use super::{Exit, Global, client, pause};
use crate::control::protocol::{Build, BuiltImage, Config, ConfigFilter, ConfigsQuery, Paused};

/// Which build configs are wanted.
#[derive(Debug, clap::Args)]
pub(super) struct Configs {
    #[command(flatten)]
    filter: Filter,
    /// Only those with this label; more of them must all be there
    #[arg(short = 'l', long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<String>,
}

#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Filter {
    /// Only those whose last complete build is not of the newest images
    #[arg(long)]
    stale: bool,
    /// Only those whose last build failed
    #[arg(long)]
    failed: bool,
    /// Only those with a paused trigger
    #[arg(long)]
    paused: bool,
    /// Only those with something to build that may not start
    #[arg(long)]
    held: bool,
}

impl Configs {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let query = ConfigsQuery { filter: self.filter.chosen(), labels: self.labels.join("\n") };
        client::print(global, async |daemon| daemon.configs(&query).await)
    }
}

impl Filter {
    fn chosen(&self) -> Option<ConfigFilter> {
        let Self { stale, failed, paused, held } = *self;
        let flags = [
            (stale, ConfigFilter::Stale),
            (failed, ConfigFilter::Failed),
            (paused, ConfigFilter::Paused),
            (held, ConfigFilter::Held),
        ];
        flags.into_iter().find_map(|(given, filter)| given.then_some(filter))
    }
}

impl Show for Vec<Config> {
    fn show(&self, style: Style) -> String {
        let mut table = Table::new(["BUILD CONFIG", "IMAGE", "STALE FOR", "COMPLETE", "FAILED", "HELD"]);
        for config in self {
            table.toned_row(row(config, style));
        }
        let paused = pause::table(&self.iter().flat_map(paused).collect::<Vec<_>>(), style);
        match table.render(style) {
            text if text.is_empty() => "no build config is like that\n".to_owned(),
            text if paused.is_empty() => text,
            text => format!("{text}\n{paused}"),
        }
    }
}

/// What is paused of a build config: all of it, or trigger by trigger.
fn paused(config: &Config) -> Vec<Paused> {
    let build_config = &config.build_config;
    if let Some(pause) = config.pause.clone() {
        return vec![Paused { build_config: build_config.clone(), tag: None, pause }];
    }
    let triggers = config.triggers.iter().filter_map(|trigger| {
        let (tag, pause) = (Some(trigger.tag.clone()), trigger.pause.clone()?);
        Some(Paused { build_config: build_config.clone(), tag, pause })
    });
    triggers.collect()
}

fn row(config: &Config, style: Style) -> [(String, Tone); 6] {
    let stale = config.stale_since.map(|since| style.since(since));
    let stale_tone = if stale.is_some() { Tone::Busy } else { Tone::Plain };
    let complete = config.last_complete.as_ref().map(|build| ended(build, style) + &made(&config.images));
    let failure = config.last_failure.as_ref().map(|build| ended(build, style));
    let failure_tone = if config.failures_in_row > 0 { Tone::Bad } else { Tone::Plain };
    [
        (config.build_config.to_string(), Tone::Plain),
        (image(config), Tone::Plain),
        (or_dash(stale), stale_tone),
        (or_dash(complete), Tone::Plain),
        (or_dash(failure), failure_tone),
        (holds(config), Tone::Busy),
    ]
}

/// What it is built from, and whether that can be told from another image later.
fn image(config: &Config) -> String {
    let image = or_dash(short_image(config.digest.as_ref(), config.image_id));
    let once = config.triggers.iter().any(|trigger| trigger.fires_once);
    match (config.mutable, once) {
        (true, _) => format!("{image} mutable ({FIRES_ONCE})"),
        (false, true) => format!("{image} (a tag of it is {FIRES_ONCE})"),
        (false, false) => image,
    }
}

/// `-7, 3d ago`: the number is what tells builds of one config apart.
fn ended(build: &Build, style: Style) -> String {
    let ago = style.since(build.ended.unwrap_or(build.created));
    format!("#{}, {ago} ago", build.build.number)
}

/// The images that a build made, in short.
fn made(images: &[BuiltImage]) -> String {
    images.iter().map(|image| format!(", {}", short(&image.digest))).collect()
}

/// Why something waits, or that nothing would start.
fn holds(config: &Config) -> String {
    let mut reasons: Vec<&str> = config.held.iter().map(|held| held.reason.as_str()).collect();
    if config.triggers.iter().any(|trigger| trigger.paused) {
        reasons.push("paused");
    }
    reasons.sort_unstable();
    reasons.dedup();
    if reasons.is_empty() { "-".to_owned() } else { reasons.join(", ") }
}

/// One label.
pub(super) fn label(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, _)) if !key.is_empty() && !text.contains('\n') => Ok(text.to_owned()),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}
