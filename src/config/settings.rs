//! The checked settings: defaults filled in, references parsed, and nothing left to doubt.

mod host;
mod interval;
mod registry;
mod watch;

use std::collections::BTreeMap;
use std::time::Duration;

use self::interval::Intervals;
use self::registry::Configured;
use self::watch::Watches;
use super::expand::Expanded;
use super::file::{Daemon, Document, Log};
use super::problem::{Place, Problem, Problems};
use super::{Host, SecretFiles, Settings};
use crate::controller;
use crate::daemon::{self, OnLostState};
use crate::logging::{self, BuildOutput, Format};
use crate::webhook;

/// Checks everything there is. What comes back is of use only if there were no errors.
pub(super) fn check(
    document: &Document,
    watches: &[Expanded<'_>],
    secrets: &SecretFiles,
    problems: &mut Problems,
) -> Settings {
    let hosts = registry::check(&document.registries, secrets, problems);
    let mut configs = Watches::new(document.defaults.namespace.value().map_or("default", String::as_str));
    let mut intervals = Intervals::new(&hosts);
    for watch in watches {
        let triggers = configs.triggers(watch, problems);
        intervals.add(watch, &triggers, problems);
        configs.add(watch, &triggers, problems);
    }
    let tags = intervals.into_tags();
    Settings {
        registries: all_hosts(hosts, tags.iter().map(|tag| tag.tag.host()), problems),
        tags,
        controller: controller::Settings {
            build_configs: configs.into_build_configs(),
            max_builds: document.daemon.max_builds.value().copied().unwrap_or(2),
            hold_above: document.daemon.hold_above.value().copied().unwrap_or(50),
        },
        daemon: daemon(&document.daemon),
        log: log(&document.log),
        webhook: webhook::Settings::default(),
    }
}

/// Tells if there is nothing to do.
pub(super) fn warn_if_idle(settings: &Settings, main: &Place, problems: &mut Problems) {
    if settings.tags.is_empty() && !problems.has_errors() {
        let fix = "add a [[watch]] with an image and a command to run";
        problems.push(Problem::warning(main, "nothing is watched", fix));
    }
}

/// The hosts that are configured and those that are only named.
fn all_hosts<'t>(
    configured: BTreeMap<String, Configured<'_>>,
    named: impl Iterator<Item = &'t str>,
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
        for (host, place) in unused {
            let fix = "watch an image of it, or delete the table";
            problems.push(Problem::warning(place, "no watch names this registry", fix).with_value(host));
        }
    }
    hosts.extend(configured.into_iter().map(|(name, configured)| (name, configured.host)));
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
