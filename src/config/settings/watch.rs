//! The build configs that the watches stand for.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::super::expand::Expanded;
use super::super::grammar::is_label;
use super::super::problem::{Place, Problem, Problems};
use super::super::section::At;
use crate::controller::{
    Base, BuildConfig, ConfigKey, History, OnFirst, OnInterrupt, Policy, Retry, RunPolicy, Strategy,
    StrategyKind, StreamTag, Supersede, Trigger,
};
use crate::image::{Platforms, ReferenceError, TagRef};

/// What every build config of a watch keeps of its ended builds.
const HISTORY: History = History { successful: 20, failed: 20 };

/// The build configs so far, with what is needed to make the next.
pub(super) struct Watches<'a> {
    namespace: &'a str,
    images: Images<'a>,
    places: HashMap<ConfigKey, &'a Place>,
    policies: HashSet<Arc<Policy>>,
    build_configs: Vec<Arc<BuildConfig>>,
}

/// Every distinct text that was written for an image, parsed once: many watches name the same few.
#[derive(Default)]
struct Images<'a>(HashMap<&'a str, Result<Vec<Arc<StreamTag>>, ReferenceError>>);

impl<'a> Watches<'a> {
    pub(super) fn new(namespace: &'a str) -> Self {
        Self {
            namespace,
            images: Images::default(),
            places: HashMap::new(),
            policies: HashSet::new(),
            build_configs: Vec::new(),
        }
    }

    /// A trigger for each tag of a watch, the strategy's own first; empty if one of them cannot be used.
    pub(super) fn triggers(&mut self, watch: &Expanded<'a>, problems: &mut Problems) -> Vec<Trigger> {
        let paused = watch.keys.value(|keys| &keys.paused).unwrap_or(false);
        let platforms = watch.keys.value(|keys| &keys.platforms).unwrap_or_default();
        let mut triggers: Vec<(Trigger, &Place)> = Vec::new();
        let mut refused = false;
        for image in &watch.images {
            let Some(from) = self.images.parse(image, &platforms, problems) else {
                refused = true;
                continue;
            };
            // What is stored belongs to the tag, so two triggers on it would be one in two minds (D11).
            match triggers.iter().find(|(trigger, _)| trigger.from.tag == from.tag) {
                Some((_, first)) => problems.push(same_tag(image, &from.tag, first)),
                None => triggers.push((Trigger { from, paused, last: None }, &image.place)),
            }
        }
        if refused {
            return Vec::new();
        }
        triggers.into_iter().map(|(trigger, _)| trigger).collect()
    }

    /// Adds a build config for each name of a watch.
    pub(super) fn add(&mut self, watch: &Expanded<'a>, triggers: &[Trigger], problems: &mut Problems) {
        if watch.keys.is_unsaid(|keys| &keys.run) {
            let fix = "add run = [\"make\", \"image\"], or use = \"…\" with a template that has it";
            problems.push(Problem::absence(watch.place, "has nothing to run", fix));
        }
        for name in &watch.names {
            let key = self.key(*name, watch, triggers, problems);
            let config = key.and_then(|key| self.build_config(key, watch, triggers));
            self.build_configs.extend(config.map(Arc::new));
        }
    }

    pub(super) fn into_build_configs(self) -> Vec<Arc<BuildConfig>> {
        self.build_configs
    }

    /// The key of one build config; no other may have it.
    fn key(
        &mut self,
        written: Option<&'a At<String>>,
        watch: &Expanded<'a>,
        triggers: &[Trigger],
        problems: &mut Problems,
    ) -> Option<ConfigKey> {
        let (name, place) = match written {
            Some(name) => (name.value.clone(), &name.place),
            None => {
                let image = watch.images.first()?;
                (default_name(&triggers.first()?.from.tag, image, problems)?, &image.place)
            }
        };
        let key = ConfigKey::new(self.namespace, &name);
        if let Some(first) = self.places.get(&key) {
            let message = format!("gives a second build config the name {key}, the first is at {first}");
            return problems.wrong(place, message, name, "give one of the two another `name`");
        }
        self.places.insert(key.clone(), place);
        Some(key)
    }

    /// The build config of that name; `None` if what it needs was refused.
    fn build_config(
        &mut self,
        key: ConfigKey,
        watch: &Expanded<'_>,
        triggers: &[Trigger],
    ) -> Option<BuildConfig> {
        let keys = &watch.keys;
        let first = triggers.first()?;
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
            triggers: triggers.to_vec(),
            config_change: false,
            paused: false,
            policy: self.shared(policy(watch)),
            source: None,
            output: None,
            last_version: 0,
            labels: keys.entries(|keys| &keys.labels).into_iter().collect(),
        })
    }

    fn shared(&mut self, policy: Policy) -> Arc<Policy> {
        if let Some(known) = self.policies.get(&policy) {
            return Arc::clone(known);
        }
        let policy = Arc::new(policy);
        self.policies.insert(Arc::clone(&policy));
        policy
    }
}

impl<'a> Images<'a> {
    fn parse(
        &mut self,
        image: &'a At<String>,
        platforms: &Platforms,
        problems: &mut Problems,
    ) -> Option<Arc<StreamTag>> {
        let text = image.value.as_str();
        let parsed = self.0.entry(text).or_insert_with(|| Ok(vec![Arc::new(watched(text)?)]));
        let (message, fix) = match parsed {
            Ok(parsed) => {
                if let Some(known) = parsed.iter().find(|known| known.platforms == *platforms) {
                    return Some(Arc::clone(known));
                }
                let other = StreamTag { platforms: platforms.clone(), ..(**parsed.first()?).clone() };
                parsed.push(Arc::new(other));
                return parsed.last().map(Arc::clone);
            }
            Err(ReferenceError::Invalid { reason, .. }) => {
                (format!("is not an image reference: {reason}"), "write it as host/repository:tag")
            }
            Err(ReferenceError::Pinned(_)) => (
                "is pinned to a digest and can never move".to_owned(),
                "name a tag instead: host/repository:tag",
            ),
        };
        problems.wrong(&image.place, message, format!("\"{text}\""), fix)
    }
}

fn watched(text: &str) -> Result<StreamTag, ReferenceError> {
    let tag: TagRef = text.parse()?;
    let named = tag.named(text);
    Ok(StreamTag { tag, named, given: None, platforms: Platforms::default(), unasked: false })
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

fn policy(watch: &Expanded<'_>) -> Policy {
    let keys = &watch.keys;
    Policy {
        run_policy: keys.value(|keys| &keys.run_policy).unwrap_or(RunPolicy::SerialLatestOnly),
        supersede: keys.value(|keys| &keys.supersede).unwrap_or(Supersede::Images),
        on_first: keys.value(|keys| &keys.on_first).unwrap_or(OnFirst::Build),
        on_interrupt: keys.value(|keys| &keys.on_interrupt).unwrap_or(OnInterrupt::Retry),
        retry: Retry {
            attempts: keys.value(|keys| &keys.retry.attempts).unwrap_or(3),
            backoff: keys.value(|keys| &keys.retry.backoff).unwrap_or(Duration::from_mins(5)),
        },
        timeout: keys.value(|keys| &keys.timeout).unwrap_or(Duration::from_hours(1)),
        history: HISTORY,
    }
}
