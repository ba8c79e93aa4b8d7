//! Build configs: whether their last build is of the newest images, and what keeps a newer one from starting.

use jiff::Timestamp;

use super::build::{images, summary};
use super::name::find_config;
use super::pause::in_words;
use crate::control::Refusal;
use crate::control::protocol::{self, Config, ConfigFilter, ConfigsQuery, Held, Problem, ReleaseQuery};
use crate::controller::{
    Build, BuildConfig, BuildKey, Controller, FirstStart, HoldReason, Phase, Release, Trigger, TriggerKey,
    TriggerRecord, Urgency,
};
use crate::image::{Identity, Platform, TagRef};

/// The build configs that are asked for, in the order of the configuration.
#[must_use]
pub fn configs(controller: &Controller, query: &ConfigsQuery) -> Vec<Config> {
    let all = controller.settings().build_configs.iter();
    let labelled = all.filter(|config| has_labels(config, &query.labels));
    let described = labelled.map(|config| describe(controller, config));
    described.filter(|config| query.filter.is_none_or(|filter| is(config, filter))).collect()
}

/// Since when there is an image that no complete build of `config` has; none if its last one is of the newest.
///
/// A newer image shows itself in one of three ways: it waits at a trigger, it differs from what the trigger stored
/// (a first start is held), or it has a build, made after the last complete one.
#[must_use]
pub fn stale_since(controller: &Controller, config: &BuildConfig) -> Option<Timestamp> {
    let waiting = config.triggers.iter().filter_map(|trigger| waiting_since(controller, config, trigger));
    // One that was only made again from old images (F35) proves nothing.
    let is_new = |build: &Build| build.phase == Phase::Complete && build.urgency != Urgency::Rebuild;
    let mut builds = controller.records().builds_of(&config.key).rev();
    let complete = builds.find(|(_, build)| is_new(build)).map_or(0, |(key, _)| key.number);
    let later = controller.records().builds_of(&config.key).filter(|(key, _)| key.number > complete);
    let unbuilt = later.filter(|(_, build)| build.only_images()).map(|(_, build)| build.created);
    waiting.chain(unbuilt).min()
}

/// What keeps `config` from building, if there is anything to build.
#[must_use]
pub fn holds(controller: &Controller, config: &BuildConfig) -> Vec<Held> {
    let build_config = &config.key;
    let first_start = match controller.records().configs.get(build_config).map(|record| record.first_start) {
        Some(FirstStart::Held(since)) => Some(held(config, None, HoldReason::FirstStart, since)),
        Some(FirstStart::None | FirstStart::Released) | None => None,
    };
    let triggers = config.triggers.iter().filter_map(|trigger| {
        let pending = stored(controller, config, &trigger.from.tag)?.pending.as_ref()?;
        let reason = why_pending(controller, config, trigger)?;
        let held = held(config, Some(trigger.from.tag.clone()), reason, pending.since);
        match reason {
            HoldReason::PlatformMissing => Some(Held { missing: missing(controller, trigger), ..held }),
            HoldReason::Paused
            | HoldReason::FirstStart
            | HoldReason::FirstLook
            | HoldReason::StrategyUnresolved
            | HoldReason::PlatformsUnknown => Some(held),
        }
    });
    first_start.into_iter().chain(triggers).collect()
}

/// The held build configs that a person wants to let go.
///
/// # Errors
/// If one that is named is not there, or is not held.
pub fn check_release(controller: &Controller, query: &ReleaseQuery) -> Result<Release, Refusal> {
    let ReleaseQuery::BuildConfigs(names) = query else { return Ok(Release::All) };
    let found = names.iter().map(|name| {
        let key = find_config(controller, name)?;
        let first_start = controller.records().configs.get(&key).map(|record| record.first_start);
        match first_start {
            Some(FirstStart::Held(_)) => Ok(key),
            Some(FirstStart::None | FirstStart::Released) | None => {
                let problem =
                    Problem::new(format!("build config {key} is not held: there is nothing to release"));
                Err(Refusal::Conflict(problem.hint("`basewatch configs --held` tells what is held and why")))
            }
        }
    });
    found.collect::<Result<_, _>>().map(Release::These)
}

fn describe(controller: &Controller, config: &BuildConfig) -> Config {
    let records = controller.records();
    let tag = config.strategy.tag();
    let image = tag.and_then(|tag| records.tags.get(tag)).map(|tag| tag.admitted());
    let complete = newest(controller, config, |phase| *phase == Phase::Complete);
    let of = |build: Option<(&BuildKey, &Build)>| build.map(|(key, build)| summary(key, build));
    Config {
        build_config: config.key.clone(),
        tag: tag.cloned(),
        digest: image.and_then(|image| image.identity.digest().cloned()),
        image_id: image.and_then(|image| image.polled.image_id()),
        mutable: image.is_some_and(|image| image.identity == Identity::V1Tag),
        triggers: config
            .triggers
            .iter()
            .map(|trigger| describe_trigger(controller, config, trigger))
            .collect(),
        stale_since: stale_since(controller, config),
        pause: controller.pause_of(&config.key).map(in_words),
        held: holds(controller, config),
        images: complete.map(|(_, build)| images(build)).unwrap_or_default(),
        last_complete: of(complete),
        last_failure: of(newest(controller, config, |phase| {
            matches!(phase, Phase::Failed(_) | Phase::Error(_))
        })),
        failures_in_row: records.configs.get(&config.key).map_or(0, |record| record.failures_in_row),
        labels: config.labels.clone(),
    }
}

fn describe_trigger(controller: &Controller, config: &BuildConfig, trigger: &Trigger) -> protocol::Trigger {
    let record = stored(controller, config, &trigger.from.tag);
    let found = controller.records().tags.get(&trigger.from.tag);
    let pause = controller.pause_on(&config.key, &trigger.from.tag);
    protocol::Trigger {
        tag: trigger.from.tag.clone(),
        paused: pause.is_some(),
        pause: pause.map(in_words),
        stored: record.and_then(|record| record.stored.as_ref()).and_then(Identity::digest).cloned(),
        fires_once: found.is_some_and(|tag| tag.admitted().identity == Identity::V1Tag),
        pending_since: record.and_then(|record| record.pending.as_ref()).map(|pending| pending.since),
    }
}

fn is(config: &Config, filter: ConfigFilter) -> bool {
    match filter {
        ConfigFilter::Stale => config.stale_since.is_some(),
        ConfigFilter::Failed => config.failures_in_row > 0,
        ConfigFilter::Paused => config.triggers.iter().any(|trigger| trigger.paused),
        ConfigFilter::Held => !config.held.is_empty(),
    }
}

/// Whether `config` has all these labels, `key=value` lines.
pub(super) fn has_labels(config: &BuildConfig, labels: &str) -> bool {
    labels.lines().all(|label| {
        let (key, value) = label.split_once('=').unwrap_or((label, ""));
        config.labels.get(key).is_some_and(|found| found == value)
    })
}

fn newest<'a>(
    controller: &'a Controller,
    config: &BuildConfig,
    wanted: impl Fn(&Phase) -> bool,
) -> Option<(&'a BuildKey, &'a Build)> {
    controller.records().builds_of(&config.key).rev().find(|(_, build)| wanted(&build.phase))
}

fn stored<'a>(controller: &'a Controller, config: &BuildConfig, tag: &TagRef) -> Option<&'a TriggerRecord> {
    let key = TriggerKey { config: config.key.clone(), tag: tag.clone() };
    controller.records().triggers.get(&key).map(|record| &**record)
}

fn waiting_since(controller: &Controller, config: &BuildConfig, trigger: &Trigger) -> Option<Timestamp> {
    let record = stored(controller, config, &trigger.from.tag);
    let known = record.and_then(|record| record.stored.as_ref());
    let is_news = |image: &Identity| known.is_none_or(|known| trigger.from.platforms.is_news(image, known));
    if let Some(pending) = record.and_then(|record| record.pending.as_ref()) {
        return is_news(&pending.identity).then_some(pending.since);
    }
    let found = controller.records().tags.get(&trigger.from.tag)?;
    is_news(&found.admitted().identity).then_some(found.since)
}

/// Why a change waits; none if nothing stands in its way any more and the next tick takes it up.
fn why_pending(controller: &Controller, config: &BuildConfig, trigger: &Trigger) -> Option<HoldReason> {
    let tags = &controller.records().tags;
    if controller.pause_on(&config.key, &trigger.from.tag).is_some() {
        Some(HoldReason::Paused)
    } else if !missing(controller, trigger).is_empty() {
        Some(HoldReason::PlatformMissing)
    } else if is_unknown(controller, trigger) {
        Some(HoldReason::PlatformsUnknown)
    } else {
        let is_unresolved = config.pinned_tags().any(|from| !tags.contains_key(&from.tag));
        is_unresolved.then_some(HoldReason::StrategyUnresolved)
    }
}

/// The platforms that `trigger` is for and that its image lacks.
fn missing(controller: &Controller, trigger: &Trigger) -> Vec<Platform> {
    let found = controller.records().tags.get(&trigger.from.tag);
    found.map_or_else(Vec::new, |found| trigger.from.platforms.missing_in(&found.admitted().identity))
}

/// Whether nobody knows yet what the image of `trigger` lacks.
fn is_unknown(controller: &Controller, trigger: &Trigger) -> bool {
    let found = controller.records().tags.get(&trigger.from.tag);
    found.is_some_and(|found| !trigger.from.platforms.is_answered_by(&found.admitted().identity))
}

fn held(config: &BuildConfig, tag: Option<TagRef>, reason: HoldReason, since: Timestamp) -> Held {
    let (build_config, reason) = (config.key.clone(), reason.as_str().to_owned());
    Held { build_config, tag, reason, missing: Vec::new(), since }
}
