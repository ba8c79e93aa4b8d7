//! Where everything stands.

use std::collections::{HashMap, HashSet};

use super::build::summary;
use super::config::{holds, stale_since};
use super::name::find_tag;
use super::pause::{is_paused, pauses};
use super::{Facts, PolledHost, PolledTag, Polling};
use crate::control::Refusal;
use crate::control::protocol::{self, Held, Phase, Status, StatusQuery, Tag, Totals};
use crate::controller::{BuildConfig, ConfigKey, Controller, HoldReason};
use crate::image::{Identity, TagRef};

/// Where everything stands, or all that concerns the tags that are asked for.
///
/// # Errors
/// If a tag is asked for that is not watched.
pub fn status(
    controller: &Controller,
    polling: &Polling,
    facts: &Facts,
    query: &StatusQuery,
) -> Result<Status, Refusal> {
    let scope = Scope::new(controller, query)?;
    Ok(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: facts.started,
        draining: facts.draining,
        state_dir: facts.state_dir.clone(),
        store_trouble: facts.store_trouble.clone(),
        totals: totals(controller, polling),
        tags: tags(controller, polling, &scope),
        registries: registries(polling, &scope),
        held: held(controller, &scope),
        paused: paused(controller, &scope),
        builds: builds(controller, &scope),
    })
}

/// How many of everything: also the numbers of the `summary` event.
#[must_use]
pub fn totals(controller: &Controller, polling: &Polling) -> Totals {
    let settings = controller.settings();
    let count = |wanted: &dyn Fn(&BuildConfig) -> bool| {
        settings.build_configs.iter().filter(|config| wanted(config)).count()
    };
    let is_seen = |tag: &TagRef| controller.records().tags.contains_key(tag);
    let (failing, well): (Vec<_>, Vec<_>) = polling.tags.iter().partition(|(_, tag)| tag.condition.is_some());
    let tags_ok = well.iter().filter(|(tag, _)| is_seen(tag)).count();
    let is_held = |config: &BuildConfig| {
        holds(controller, config).iter().any(|held| held.reason != HoldReason::Paused.as_str())
    };
    let running =
        controller.live_builds().filter(|(_, build)| build.phase == crate::controller::Phase::Running);
    let running = running.count();
    Totals {
        tags_ok,
        tags_unseen: well.len() - tags_ok,
        tags_failing: failing.len(),
        stale: count(&|config| stale_since(controller, config).is_some()),
        held: count(&is_held),
        paused: count(&|config| is_paused(controller, config)),
        queued: controller.live_builds().count() - running,
        running,
        max_builds: settings.max_builds,
    }
}

/// What an answer is about.
struct Scope<'a> {
    /// The tags that are asked for; none for all.
    tags: Option<HashSet<TagRef>>,
    /// The build configs with a trigger on one of them.
    configs: HashMap<&'a ConfigKey, &'a BuildConfig>,
}

impl<'a> Scope<'a> {
    fn new(controller: &'a Controller, query: &StatusQuery) -> Result<Self, Refusal> {
        let configs = controller.settings().build_configs.iter().map(|config| &**config);
        if query.tags.is_empty() {
            return Ok(Self { tags: None, configs: configs.map(|config| (&config.key, config)).collect() });
        }
        let tags: HashSet<TagRef> =
            query.tags.lines().map(|text| find_tag(controller, text)).collect::<Result<_, _>>()?;
        let on_them =
            configs.filter(|config| config.triggers.iter().any(|trigger| tags.contains(&trigger.from.tag)));
        let configs = on_them.map(|config| (&config.key, config)).collect();
        Ok(Self { tags: Some(tags), configs })
    }

    fn has(&self, tag: &TagRef) -> bool {
        self.tags.as_ref().is_none_or(|tags| tags.contains(tag))
    }
}

fn tags(controller: &Controller, polling: &Polling, scope: &Scope<'_>) -> Vec<Tag> {
    let mut triggers: HashMap<&TagRef, usize> = HashMap::new();
    for trigger in controller.settings().build_configs.iter().flat_map(|config| &config.triggers) {
        *triggers.entry(&trigger.from.tag).or_default() += 1;
    }
    let of = |tag| triggers.get(tag).copied().unwrap_or_default();
    let wanted = polling.tags.iter().filter(|(tag, _)| scope.has(tag));
    let mut tags: Vec<Tag> = wanted.map(|(tag, polled)| describe(controller, tag, polled, of(tag))).collect();
    tags.sort_by(|one, other| one.tag.cmp(&other.tag));
    tags
}

fn describe(controller: &Controller, tag: &TagRef, polled: &PolledTag, build_configs: usize) -> Tag {
    let record = controller.records().tags.get(tag);
    let image = record.map(|record| record.admitted());
    let is_v1 = image.is_some_and(|image| image.identity == Identity::V1Tag);
    Tag {
        tag: tag.clone(),
        digest: image.and_then(|image| image.identity.digest().cloned()),
        image: image.map(|image| image.reference(tag).into()),
        image_id: image.and_then(|image| image.polled.image_id()),
        mutable: is_v1,
        fires_once: is_v1,
        platforms: image.and_then(|image| image.identity.children().cloned()).unwrap_or_default(),
        since: record.map(|record| record.since),
        last_success: polled.last_success,
        next_poll: polled.next_poll,
        condition: polled.condition.clone(),
        build_configs,
    }
}

fn registries(polling: &Polling, scope: &Scope<'_>) -> Vec<protocol::Registry> {
    let mut counts: HashMap<&str, (usize, usize)> = HashMap::new();
    for (tag, polled) in polling.tags.iter().filter(|(tag, _)| scope.has(tag)) {
        let (tags, failing) = counts.entry(tag.host()).or_default();
        *tags += 1;
        *failing += usize::from(polled.condition.is_some());
    }
    let registry = |host: &PolledHost| {
        let (tags, failing) = counts.get(&*host.host).copied()?;
        Some(protocol::Registry {
            host: host.host.clone(),
            tags,
            failing,
            in_flight: host.in_flight,
            max_connections: host.limits.max_connections,
            requests_per_second: host.limits.requests_per_second,
            stretched: host.stretched,
            trouble: host.trouble.clone(),
        })
    };
    polling.hosts.iter().filter_map(registry).collect()
}

fn held(controller: &Controller, scope: &Scope<'_>) -> Vec<Held> {
    let configs = controller.settings().build_configs.iter();
    let in_scope = configs.filter(|config| scope.configs.contains_key(&config.key));
    let held = in_scope.flat_map(|config| holds(controller, config));
    held.filter(|held| held.tag.as_ref().is_none_or(|tag| scope.has(tag))).collect()
}

fn paused(controller: &Controller, scope: &Scope<'_>) -> Vec<protocol::Paused> {
    let configs = controller.settings().build_configs.iter();
    let in_scope = configs.filter(|config| scope.configs.contains_key(&config.key));
    let paused = in_scope.flat_map(|config| pauses(controller, config));
    paused.filter(|paused| paused.tag.as_ref().is_none_or(|tag| scope.has(tag))).collect()
}

fn builds(controller: &Controller, scope: &Scope<'_>) -> Vec<protocol::Build> {
    let live = controller.live_builds();
    // A build whose config was removed belongs to the whole, and to no tag.
    let in_scope = live.filter(|(key, _)| scope.tags.is_none() || scope.configs.contains_key(&key.config));
    let mut builds: Vec<protocol::Build> = in_scope.map(|(key, build)| summary(key, build)).collect();
    builds.sort_by_key(|build| (build.phase != Phase::Running, build.created, build.build.number));
    builds
}
