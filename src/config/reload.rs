//! What one configuration says otherwise than another, in the words of the TOML.
//!
//! Nothing is decided by this: the controller, polling and the registries each compare what concerns them. It tells a
//! person what a reload changed, and what of it has to wait for the next start.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::{Host, Settings, WatchedTag};
use crate::controller::{self, Base, BuildConfig, ConfigKey, Policy, Strategy, StreamTag, Trigger, Venue};
use crate::image::TagRef;
use crate::poll::Limits;
use crate::webhook::{self, Hook};
use crate::{daemon, logging, registry};

/// Keys of the TOML.
type Keys = Vec<&'static str>;

/// The difference between two configurations. What stands in both and says the same is in none of the lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Difference {
    pub build_configs: Changes<ConfigKey>,
    pub tags: Changes<TagRef>,
    pub registries: Changes<String>,
    /// Of `[daemon]`, `[log]` and `[webhook]`.
    pub settings: Keys,
    /// Those of them that only a start can let take effect.
    pub later: Keys,
}

/// What became of things that have names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes<T> {
    /// Only the new configuration has these.
    pub added: Vec<T>,
    /// Only the old one has these.
    pub removed: Vec<T>,
    /// Both have these, and these keys of theirs say something else.
    pub edited: Vec<(T, Keys)>,
}

impl Difference {
    /// What `new` says otherwise than `old`.
    #[must_use]
    pub fn between(old: &Settings, new: &Settings) -> Self {
        let (settings, later) = settings(old, new);
        Self {
            build_configs: changes(by_key(old), by_key(new), |old, new| {
                let same_hooks = old.hooks == new.hooks;
                build_config(old.config, new.config, same_hooks)
            }),
            tags: changes(tags(old), tags(new), tag),
            registries: changes(hosts(old), hosts(new), host),
            settings,
            later,
        }
    }
}

impl<T> Default for Changes<T> {
    fn default() -> Self {
        Self { added: Vec::new(), removed: Vec::new(), edited: Vec::new() }
    }
}

/// In the order of their names.
fn changes<T: Clone + Ord, V>(
    old: BTreeMap<T, V>,
    mut new: BTreeMap<T, V>,
    compare: impl Fn(&V, &V) -> Keys,
) -> Changes<T> {
    let mut changes = Changes::default();
    for (name, old) in old {
        match new.remove(&name).map(|new| compare(&old, &new)) {
            None => changes.removed.push(name),
            Some(keys) if keys.is_empty() => {}
            Some(keys) => changes.edited.push((name, keys)),
        }
    }
    changes.added.extend(new.into_keys());
    changes
}

/// A build config, and who may ask for its builds.
struct WithHooks<'a> {
    config: &'a BuildConfig,
    hooks: &'a [Hook],
}

fn by_key(settings: &Settings) -> BTreeMap<ConfigKey, WithHooks<'_>> {
    let hooks = |config: &BuildConfig| settings.webhook.hooks.get(&config.key).map(Vec::as_slice);
    let configs =
        settings.controller.build_configs.iter().map(|config| {
            (config.key.clone(), WithHooks { config, hooks: hooks(config).unwrap_or_default() })
        });
    configs.collect()
}

fn tags(settings: &Settings) -> BTreeMap<TagRef, &WatchedTag> {
    settings.tags.iter().map(|watched| (watched.tag.clone(), watched)).collect()
}

/// Every field is named here, so that none that is added is forgotten.
fn tag(old: &&WatchedTag, new: &&WatchedTag) -> Keys {
    let WatchedTag { tag: _, interval, once } = old;
    keys([("interval", *interval == new.interval), ("scheduled", *once == new.once)])
}

fn hosts(settings: &Settings) -> BTreeMap<String, &Host> {
    settings.registries.iter().map(|(name, host)| (name.clone(), host)).collect()
}

/// The keys whose values are not the same.
fn keys<const N: usize>(same: [(&'static str, bool); N]) -> Keys {
    same.into_iter().filter_map(|(key, same)| (!same).then_some(key)).collect()
}

/// Every field is named here, so that none that is added is forgotten.
fn build_config(old: &BuildConfig, new: &BuildConfig, same_hooks: bool) -> Keys {
    let BuildConfig {
        key: _,
        strategy: Strategy { kind, from: _, command, env, working_dir, options },
        triggers,
        config_change,
        paused,
        policy,
        source,
        image_sources,
        output,
        last_version: _,
        labels,
    } = old;
    let Policy { run_policy, supersede, on_first, on_interrupt, retry, timeout, history, venue } = &**policy;
    let paused = *paused == new.paused && agree(triggers, &new.triggers, |trigger| &trigger.paused);
    keys([
        ("images", images(old).eq(images(new))),
        ("paused", paused),
        ("platforms", agree(triggers, &new.triggers, |trigger| &trigger.from.platforms)),
        ("run", *command == new.strategy.command),
        ("strategy", (kind, options) == (&new.strategy.kind, &new.strategy.options)),
        ("env", *env == new.strategy.env),
        ("working_dir", *working_dir == new.strategy.working_dir),
        ("config_change", *config_change == new.config_change),
        ("run_policy", *run_policy == new.policy.run_policy),
        ("supersede", *supersede == new.policy.supersede),
        ("on_first", *on_first == new.policy.on_first),
        ("on_interrupt", *on_interrupt == new.policy.on_interrupt),
        ("retry", *retry == new.policy.retry),
        ("timeout", *timeout == new.policy.timeout),
        ("history", *history == new.policy.history),
        ("runner", runner(venue) == runner(&new.policy.venue)),
        ("secrets", secrets(venue) == secrets(&new.policy.venue)),
        ("auth_file", auth_file(venue) == auth_file(&new.policy.venue)),
        ("source", (source, image_sources) == (&new.source, &new.image_sources)),
        ("output", *output == new.output),
        ("labels", *labels == new.labels),
        ("webhook", same_hooks),
    ])
}

fn runner(venue: &Option<Box<Venue>>) -> Option<&str> {
    venue.as_ref()?.runner.as_deref()
}

fn secrets(venue: &Option<Box<Venue>>) -> &[(Box<str>, Box<Path>)] {
    venue.as_ref().map(|venue| venue.secrets.as_slice()).unwrap_or_default()
}

fn auth_file(venue: &Option<Box<Venue>>) -> Option<&Path> {
    venue.as_ref()?.auth_file.as_deref()
}

/// What a config is made from and what it watches, by what they are, what they are called and what builds are given.
fn images(config: &BuildConfig) -> impl Iterator<Item = (&TagRef, &str, Option<&str>, bool)> {
    let base = config.strategy.from.iter().map(|base| match base {
        Base::Tag(from) => what(from),
        Base::Image { text, tag } => (tag, &**text, None, true),
    });
    base.chain(config.triggers.iter().map(|trigger| what(&trigger.from)))
}

fn what(from: &StreamTag) -> (&TagRef, &str, Option<&str>, bool) {
    (&from.tag, &from.named, from.given.as_deref(), from.unasked)
}

/// Whether the triggers that are in both agree in one thing.
fn agree<T: PartialEq>(old: &[Trigger], new: &[Trigger], what: impl Fn(&Trigger) -> &T) -> bool {
    let new: HashMap<&TagRef, &T> = new.iter().map(|trigger| (&trigger.from.tag, what(trigger))).collect();
    old.iter().all(|trigger| new.get(&trigger.from.tag).is_none_or(|new| *new == what(trigger)))
}

/// Every field is named here, so that none that is added is forgotten.
fn host(old: &&Host, new: &&Host) -> Keys {
    let Host { registry, limits: Limits { max_connections, requests_per_second } } = old;
    let registry::Settings {
        host: _,
        insecure,
        ca_file,
        credentials,
        trusted_realms,
        timeout,
        api,
        known_v2: _,
    } = registry;
    let (username, password_file) = login(credentials.as_ref());
    let (new_username, new_password_file) = login(new.registry.credentials.as_ref());
    keys([
        ("insecure", *insecure == new.registry.insecure),
        ("ca_file", *ca_file == new.registry.ca_file),
        ("username", username == new_username),
        ("password_file", password_file == new_password_file),
        ("trusted_realms", *trusted_realms == new.registry.trusted_realms),
        ("timeout", *timeout == new.registry.timeout),
        ("api", *api == new.registry.api),
        ("max_connections", *max_connections == new.limits.max_connections),
        ("requests_per_second", *requests_per_second == new.limits.requests_per_second),
    ])
}

fn login(credentials: Option<&registry::Credentials>) -> (Option<&str>, Option<&Path>) {
    let Some(registry::Credentials { username, password_file }) = credentials else { return (None, None) };
    (Some(username), Some(password_file))
}

/// The keys of `[daemon]`, `[log]` and `[webhook]` that say something else, and those of them that a running daemon cannot
/// follow: it holds its state and its sockets, and the log's line and filter are set once for the process.
fn settings(old: &Settings, new: &Settings) -> (Keys, Keys) {
    let controller::Settings { build_configs: _, max_builds, hold_above } = &old.controller;
    let daemon::Settings { state_dir, socket, drain_timeout, on_lost_state } = &old.daemon;
    let logging::Settings { format, level, build_output } = &old.log;
    let webhook::Settings { listen, requests_per_second, hooks: _ } = &old.webhook;
    let later = keys([
        ("daemon.state_dir", *state_dir == new.daemon.state_dir),
        ("daemon.socket", *socket == new.daemon.socket),
        ("log.format", *format == new.log.format),
        ("log.level", *level == new.log.level),
        ("webhook.listen", *listen == new.webhook.listen),
    ]);
    let now = keys([
        ("daemon.max_builds", *max_builds == new.controller.max_builds),
        ("daemon.hold_above", *hold_above == new.controller.hold_above),
        ("daemon.drain_timeout", *drain_timeout == new.daemon.drain_timeout),
        ("daemon.on_lost_state", *on_lost_state == new.daemon.on_lost_state),
        ("log.build_output", *build_output == new.log.build_output),
        ("runner", old.runners == new.runners),
        ("webhook.requests_per_second", *requests_per_second == new.webhook.requests_per_second),
    ]);
    (now.into_iter().chain(later.iter().copied()).collect(), later)
}
