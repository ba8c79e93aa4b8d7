//! What to poll, by what is configured and what is stored.

use std::collections::{HashMap, HashSet};

use crate::controller::{Event, Records, TriggerKey};
use crate::image::{Identity, Image, Platforms, Polled, TagRef};
use crate::poll::{HostPlan, Plan, TagPlan, Until};
use crate::registry::{Depth, Known};
use crate::{config, poll};

/// What to poll from the start on, by what is stored before the settings are loaded: a load forgets which tags were away.
///
/// A tag that was never seen, or that a trigger has nothing stored for, is not kept waiting. One that is polled until that
/// succeeds once, and was found since it was added, is not polled at all, whatever a trigger has stored: what is known of
/// it decides (F6, D8).
pub(super) fn first(settings: &config::Settings, records: &Records) -> Plan {
    let unsettled: HashSet<TagRef> =
        triggers(settings).filter(|key| is_unsettled(key, records)).map(|key| key.tag).collect();
    let is_back = |tag: &TagRef| records.tags.get(tag).is_some_and(|record| record.unwatched_since.is_some());
    plan(settings, records, is_back, |tag| unsettled.contains(tag) || !records.tags.contains_key(tag))
}

/// What is said to polling when `new` settings take the place of `old` ones: nothing where they ask for the same, so that
/// no poll is disturbed.
pub(super) fn change(
    old: &config::Settings,
    new: &config::Settings,
    records: &Records,
) -> Vec<poll::Command> {
    let watched: HashSet<&TagRef> = old.tags.iter().map(|watched| &watched.tag).collect();
    let is_back = |tag: &TagRef| !watched.contains(tag);
    let needs = Needs { depths: depths(new), records, is_back };
    let polled: HashSet<&TagRef> =
        new.tags.iter().filter(|watched| needs.polls(watched)).map(|watched| &watched.tag).collect();
    let before: HashSet<TriggerKey> = triggers(old).collect();
    // A trigger that is new on a tag that is not must not wait for that tag's slot either.
    let added = triggers(new).filter(|key| !before.contains(key) && is_unsettled(key, records));
    let (mut asked, mut eager) = (HashSet::new(), HashSet::new());
    for key in added.filter(|key| polled.contains(&key.tag)) {
        match watched.contains(&key.tag) {
            true => asked.insert(key.tag),
            false => eager.insert(key.tag),
        };
    }
    let is_eager =
        |tag: &TagRef| !watched.contains(tag) && (eager.contains(tag) || !records.tags.contains_key(tag));
    let plan = |settings| plan(settings, records, is_back, is_eager);
    let mut commands = Vec::new();
    let next = plan(new);
    if next != plan(old) {
        commands.push(poll::Command::Replan(next));
    }
    if !asked.is_empty() {
        let (reply, _) = tokio::sync::oneshot::channel();
        commands.push(poll::Command::Poll { tags: asked.into_iter().collect(), reply });
    }
    commands
}

fn plan(
    settings: &config::Settings,
    records: &Records,
    is_back: impl Fn(&TagRef) -> bool,
    is_eager: impl Fn(&TagRef) -> bool,
) -> Plan {
    let needs = Needs { depths: depths(settings), records, is_back };
    let mut tags: HashMap<&str, Vec<TagPlan>> = HashMap::new();
    for watched in &settings.tags {
        let config::WatchedTag { tag, interval, once } = watched;
        let polls = needs.polls(watched);
        let until = match (once, polls) {
            (false, _) => Until::Gone,
            (true, true) => Until::Found,
            (true, false) => Until::Asked,
        };
        tags.entry(tag.host()).or_default().push(TagPlan {
            tag: tag.clone(),
            interval: *interval,
            eager: polls && (is_eager(tag) || *once && needs.is_to_be_imported(tag)),
            until,
            depth: needs.depth(tag),
            known: records.tags.get(tag).and_then(|record| known(&record.observed)),
        });
    }
    let hosts = settings.registries.iter().filter_map(|(host, known)| {
        let credential = known.registry.credentials.as_ref().map(|credentials| credentials.username.clone());
        let tags = tags.remove(host.as_str())?;
        Some(HostPlan { host: host.clone(), limits: known.limits, credential, tags })
    });
    Plan { hosts: hosts.collect() }
}

/// What tells the controller of the tags that `plan` polls only if somebody asks: no first build waits for a look at one.
pub(super) fn not_awaited(plan: &Plan) -> Vec<Event> {
    let tags = plan.hosts.iter().flat_map(|host| &host.tags).filter(|tag| tag.until == Until::Asked);
    tags.map(|tag| Event::Unresolved { tag: tag.tag.clone(), is_v2: false }).collect()
}

/// What decides whether a tag is polled without being asked for.
struct Needs<'a, B> {
    depths: HashMap<&'a TagRef, Depth>,
    records: &'a Records,
    /// Whether nobody watched a tag before.
    is_back: B,
}

impl<B: Fn(&TagRef) -> bool> Needs<'_, B> {
    fn depth(&self, tag: &TagRef) -> Depth {
        self.depths.get(tag).copied().unwrap_or_default()
    }

    /// Always, or until a registry has told once what the tag points to, and what is in that if it matters. What was
    /// written down while no registry was asked about it is no such answer.
    fn polls(&self, watched: &config::WatchedTag) -> bool {
        let config::WatchedTag { tag, once, .. } = watched;
        let is_found = |image: &Image| match &image.polled {
            Polled::Manifest(_) => self.depth(tag) < Depth::Contents || !is_unread(image),
            Polled::V1(_) => true,
            Polled::Unasked => false,
        };
        !once
            || self.is_to_be_imported(tag)
            || self.records.tags.get(tag).is_none_or(|record| !is_found(&record.observed))
    }

    /// To be added is to be imported (D8), whatever is remembered of a tag from before it was removed. What is known of a
    /// digest stays so.
    fn is_to_be_imported(&self, tag: &TagRef) -> bool {
        !tag.is_pinned() && (self.is_back)(tag)
    }
}

/// The tags that are polled without being asked for while `settings` hold.
pub(super) fn polled<'s>(
    settings: &'s config::Settings,
    records: &'s Records,
) -> impl Iterator<Item = &'s TagRef> {
    let needs = Needs { depths: depths(settings), records, is_back: |_: &TagRef| false };
    settings.tags.iter().filter(move |watched| needs.polls(watched)).map(|watched| &watched.tag)
}

/// How deep each tag is looked into: as deep as anyone who follows it needs. What a config is made from may count other
/// platforms of a tag than its trigger on the same one.
fn depths(settings: &config::Settings) -> HashMap<&TagRef, Depth> {
    let mut depths: HashMap<&TagRef, Depth> = HashMap::new();
    let configs = settings.controller.build_configs.iter();
    for from in configs.flat_map(|config| config.stream_tags().chain(config.pinned_tags())) {
        let depth = depths.entry(&from.tag).or_default();
        *depth = depth_of(&from.platforms).max(*depth);
    }
    depths
}

fn triggers(settings: &config::Settings) -> impl Iterator<Item = TriggerKey> {
    settings.controller.build_configs.iter().flat_map(|config| {
        let key = |tag: &TagRef| TriggerKey { config: config.key.clone(), tag: tag.clone() };
        config.triggers.iter().map(move |trigger| key(&trigger.from.tag))
    })
}

/// Whether the first image that a trigger sees still means something.
fn is_unsettled(key: &TriggerKey, records: &Records) -> bool {
    records.triggers.get(key).is_none_or(|record| record.stored.is_none())
}

fn depth_of(platforms: &Platforms) -> Depth {
    match platforms {
        Platforms::Index => Depth::Digest,
        Platforms::All => Depth::Moves,
        Platforms::These(_) | Platforms::Legacy(_) => Depth::Contents,
    }
}

/// What was stored of a tag, as polling needs to know it.
fn known(image: &Image) -> Option<Known> {
    let Polled::Manifest(manifest) = &image.polled else { return None };
    Some(Known { digest: manifest.digest.clone(), unread: is_unread(image) })
}

/// Whether it is an index that nobody looked into.
fn is_unread(image: &Image) -> bool {
    matches!(image.identity, Identity::Index { children: None, .. })
}

#[cfg(test)]
mod tests;
