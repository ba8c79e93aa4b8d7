//! The build configs that the watches stand for.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::super::expand::Expanded;
use super::super::grammar::is_label;
use super::super::problem::{Place, Problem, Problems};
use super::super::section::At;
use super::configs::{Configs, OF_A_WATCH, policy};
use super::hook::Hooks;
use super::image::Images;
use super::registry::Configured;
use super::tag::{Tags, Wish};
use super::venue::Venues;
use crate::controller::{Base, BuildConfig, ConfigKey, Strategy, StrategyKind, StreamTag, Trigger, Venue};
use crate::image::TagRef;

/// Makes the build configs of watches.
pub(super) struct Watches<'a> {
    namespace: &'a str,
    images: Images<'a>,
}

/// An image of a watch, and where it is named.
struct Seen<'a> {
    from: Arc<StreamTag>,
    place: &'a Place,
}

impl<'a> Watches<'a> {
    pub(super) fn new(namespace: &'a str, hosts: &'a BTreeMap<String, Configured<'a>>) -> Self {
        Self { namespace, images: Images::new(hosts) }
    }

    /// Adds a build config for each name of a watch, and what it wants of its tags.
    pub(super) fn add(
        &mut self,
        watch: &Expanded<'a>,
        configs: &mut Configs<'a>,
        tags: &mut Tags<'a>,
        hooks: &mut Hooks<'a>,
        venues: &mut Venues<'a>,
        problems: &mut Problems,
    ) {
        let images = self.images(watch, problems);
        for image in &images {
            let wish = Wish {
                interval: watch.keys.own(|keys| &keys.interval),
                default: watch.keys.get(|keys| &keys.interval),
                once: false,
                insecure: None,
                place: image.place,
            };
            tags.add(&image.from, wish, problems);
        }
        if watch.keys.is_unsaid(|keys| &keys.run) {
            let fix = "add run = [\"make\", \"image\"], or use = \"…\" with a template that has it";
            problems.push(Problem::absence(watch.place, "has nothing to run", fix));
        }
        let hook = watch.keys.get(|keys| &keys.webhook).and_then(|hook| hooks.of_watch(hook, problems));
        let venue = venues.of(&watch.keys, problems);
        for name in &watch.names {
            let Some(key) = self.key(*name, watch, &images, configs, problems) else { continue };
            if let Some(hook) = &hook {
                hooks.add(&key, hook.clone());
            }
            if let Some(config) = build_config(key, watch, &images, venue.clone(), configs) {
                configs.add(config);
            }
        }
    }

    /// The tags of a watch, the strategy's own first; empty if one of them cannot be used.
    fn images(&mut self, watch: &Expanded<'a>, problems: &mut Problems) -> Vec<Seen<'a>> {
        let platforms = watch.keys.value(|keys| &keys.platforms).unwrap_or_default();
        let mut images: Vec<Seen<'a>> = Vec::new();
        let mut refused = false;
        for image in &watch.images {
            let Some(from) = self.images.parse(image, &platforms, problems) else {
                refused = true;
                continue;
            };
            // What is stored belongs to the tag, so two triggers on it would be one in two minds (D11).
            match images.iter().find(|seen| seen.from.tag == from.tag) {
                Some(first) => problems.push(same_tag(image, &from.tag, first.place)),
                None => images.push(Seen { from, place: &image.place }),
            }
        }
        if refused { Vec::new() } else { images }
    }

    fn key(
        &self,
        written: Option<&'a At<String>>,
        watch: &Expanded<'a>,
        images: &[Seen<'a>],
        configs: &mut Configs<'a>,
        problems: &mut Problems,
    ) -> Option<ConfigKey> {
        if let Some(name) = written {
            return configs.key(self.namespace, &name.value, &name.place, problems);
        }
        let image = watch.images.first()?;
        let name = default_name(&images.first()?.from.tag, image, problems)?;
        configs.key(self.namespace, &name, &image.place, problems)
    }
}

/// The build config of that name; `None` if what it needs was refused.
fn build_config(
    key: ConfigKey,
    watch: &Expanded<'_>,
    images: &[Seen<'_>],
    venue: Option<Box<Venue>>,
    configs: &mut Configs<'_>,
) -> Option<BuildConfig> {
    let keys = &watch.keys;
    let first = images.first()?;
    let paused = keys.value(|keys| &keys.paused).unwrap_or(false);
    let trigger = |seen: &Seen<'_>| Trigger { from: Arc::clone(&seen.from), paused, last: None };
    Some(BuildConfig {
        key,
        strategy: Strategy {
            kind: StrategyKind::Command,
            from: Some(Base::Tag(Arc::clone(&first.from))),
            command: keys.value(|keys| &keys.run)?,
            env: keys.entries(|keys| &keys.env).into(),
            working_dir: keys.value(|keys| &keys.working_dir).map(PathBuf::into_boxed_path),
            options: None,
        },
        triggers: images.iter().map(trigger).collect(),
        config_change: false,
        paused: false,
        policy: configs.policy(policy(keys, venue, &OF_A_WATCH)),
        source: None,
        image_sources: Box::default(),
        output: None,
        last_version: 0,
        labels: keys.entries(|keys| &keys.labels).into_iter().collect(),
    })
}

/// The last part of the repository, `.` and `_` made `-`.
fn default_name(tag: &TagRef, image: &At<String>, problems: &mut Problems) -> Option<String> {
    let last = tag.repository().rsplit('/').next().unwrap_or_default();
    let name = last.replace(['.', '_'], "-");
    if is_label(&name) {
        return Some(name);
    }
    let fix = "add name = \"…\", 1 to 63 of a-z, 0-9 and -";
    problems.wrong(
        &image.place,
        "ends in what cannot be the name of a build config",
        format!("\"{last}\""),
        fix,
    )
}

fn same_tag(image: &At<String>, tag: &TagRef, first: &Place) -> Problem {
    let message = format!("is {tag} again, as at {first}: one trigger watches both");
    Problem::warning(&image.place, message, "delete it").with_value(format!("\"{}\"", image.value))
}
