//! The checked settings: defaults filled in, references parsed, and nothing left to doubt.

mod build_config;
mod configs;
mod hook;
mod host;
mod image;
mod registry;
mod secret;
mod stream;
mod tag;
mod venue;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use self::build_config::LongForm;
use self::configs::Configs;
use self::hook::Hooks;
use self::registry::Configured;
use self::stream::Streams;
use self::tag::Tags;
use self::venue::Venues;
use self::watch::Watches;
use super::expand::Expanded;
use super::file::{Daemon, Document, Log};
use super::problem::{Place, Problem, Problems};
use super::{Host, SecretFiles, Settings};
use crate::controller::{self, BuildConfig, StrategyKind};
use crate::daemon::{self, OnLostState};
use crate::image::TagRef;
use crate::logging::{self, BuildOutput, Format};

/// Checks everything there is. What comes back is of use only if there were no errors.
pub(super) fn check(
    document: &Document,
    watches: &[Expanded<'_>],
    secrets: &SecretFiles,
    problems: &mut Problems,
) -> Settings {
    let hosts = registry::check(&document.registries, secrets, problems);
    let namespace = document.defaults.namespace.value().map_or("default", String::as_str);
    let mut configs = Configs::default();
    let mut tags = Tags::new(&hosts);
    let mut hooks = Hooks::new(secrets);
    let mut venues = Venues::new(&document.runners, secrets, problems);
    let mut short_form = Watches::new(namespace, &hosts);
    for watch in watches {
        short_form.add(watch, &mut configs, &mut tags, &mut hooks, &mut venues, problems);
    }
    let streams = Streams::check(document, namespace, &hosts, problems);
    let mut long_form = LongForm::new(document, namespace, streams);
    for typed in &document.build_configs {
        long_form.add(typed, &mut configs, &mut tags, &mut hooks, &mut venues, problems);
    }
    let (tags, insecure) = tags.finish(problems);
    let mut build_configs = configs.into_build_configs();
    let unpolled: BTreeSet<String> = build_configs.iter().flat_map(|config| named_hosts(config)).collect();
    let registries = all_hosts(&hosts, tags.iter().map(|tag| tag.tag.host()), &unpolled, &insecure, problems);
    build_configs.iter_mut().for_each(|config| tell_insecure(config, &registries));
    Settings {
        runners: venues.finish(problems),
        registries,
        tags,
        controller: controller::Settings {
            build_configs,
            max_builds: document.daemon.max_builds.value().copied().unwrap_or(2),
            hold_above: document.daemon.hold_above.value().copied().unwrap_or(50),
        },
        daemon: daemon(&document.daemon),
        log: log(&document.log),
        webhook: hooks.into_settings(&document.webhook, problems),
    }
}

/// Tells if there is nothing to do.
pub(super) fn warn_if_idle(settings: &Settings, main: &Place, problems: &mut Problems) {
    if settings.controller.build_configs.is_empty() && !problems.has_errors() {
        let fix = "add a [[watch]] with an image and a command to run";
        problems.push(Problem::warning(main, "nothing is watched", fix));
    }
}

/// The hosts of images that a build config names: builds may be given another name for one, although it is never asked.
fn named_hosts(config: &BuildConfig) -> impl Iterator<Item = String> {
    let output = config.output.as_deref().and_then(|output| TagRef::parse_image(output).ok());
    let sources = config.image_sources.iter().map(|source| source.from.tag());
    let named = config.tags().chain(config.strategy.tag()).chain(sources);
    let hosts: Vec<String> = named.chain(output.as_ref()).map(|tag| tag.host().to_owned()).collect();
    hosts.into_iter()
}

/// A strategy that builds images itself has to know which registries it may ask by plain http.
fn tell_insecure(config: &mut Arc<BuildConfig>, registries: &BTreeMap<String, Host>) {
    if !matches!(config.strategy.kind, StrategyKind::Docker | StrategyKind::Source) {
        return;
    }
    let hosts: BTreeSet<String> = named_hosts(config).collect();
    let is_insecure = |host: &String| registries.get(host).is_some_and(|host| host.registry.insecure);
    let insecure: Vec<Box<str>> = hosts.into_iter().filter(is_insecure).map(Into::into).collect();
    if !insecure.is_empty() {
        Arc::make_mut(config).strategy.options.get_or_insert_default().insecure = insecure;
    }
}

/// The hosts that are configured and those that are only named.
fn all_hosts<'t>(
    configured: &BTreeMap<String, Configured<'_>>,
    named: impl Iterator<Item = &'t str>,
    unpolled: &BTreeSet<String>,
    insecure: &BTreeMap<String, Place>,
    problems: &mut Problems,
) -> BTreeMap<String, Host> {
    let mut unused: BTreeMap<&str, &Place> =
        configured.iter().map(|(host, configured)| (host.as_str(), configured.place)).collect();
    let mut hosts = BTreeMap::new();
    for name in named {
        unused.remove(name);
        if !hosts.contains_key(name) && !configured.contains_key(name) {
            hosts.insert(name.to_owned(), registry::unconfigured(name));
        }
    }
    if !problems.has_errors() {
        for (host, place) in unused.into_iter().filter(|(host, _)| !unpolled.contains(*host)) {
            let fix = "watch an image of it, or delete the table";
            problems.push(
                Problem::warning(place, "no image that is watched is of this registry", fix).with_value(host),
            );
        }
    }
    for (name, place) in insecure {
        if let Some(says) =
            configured.get(name).and_then(|configured| configured.insecure.filter(|at| !at.value))
        {
            let message = format!("allows plain http for {name}, and {} does not", says.place);
            problems.push(Problem::error(place, message, "let both say the same of `insecure`"));
        }
    }
    hosts.extend(configured.iter().map(|(name, configured)| (name.clone(), configured.host.clone())));
    for name in insecure.keys() {
        if let Some(host) = hosts.get_mut(name) {
            host.registry.insecure = true;
        }
    }
    hosts
}

fn daemon(typed: &Daemon) -> daemon::Settings {
    daemon::Settings {
        state_dir: typed.state_dir.value().cloned(),
        socket: typed.socket.value().cloned(),
        drain_timeout: typed.drain_timeout.value().copied().unwrap_or(Duration::from_secs(30)),
        on_lost_state: typed.on_lost_state.value().copied().unwrap_or(OnLostState::Record),
    }
}

fn log(typed: &Log) -> logging::Settings {
    logging::Settings {
        format: typed.format.value().copied().unwrap_or(Format::Auto),
        level: typed.level.value().copied().unwrap_or(tracing::Level::INFO),
        build_output: typed.build_output.value().copied().unwrap_or(BuildOutput::File),
    }
}
