//! Making a build: its number, its record, what it is given, and what that means for the triggers of its config.

use uuid::Uuid;

use super::build::{BuildSpec, Cause, Making, PinnedImage};
use super::event::{Note, Transition};
use super::key::{BuildKey, ConfigKey};
use super::record::{Build, ConfigRecord, FirstStart, Phase, Record, TriggerRecord, Urgency};
use super::settings::BuildConfig;
use super::source::{ImageSource, PinnedSource};
use super::strategy::Base;
use super::trigger::{Look, Weighed};
use super::{Controller, policy};

impl<'a> Look<'a> {
    /// One build for all that fire; and for a config that was never built, if that is what it waits for.
    pub(super) fn fire(&self, config: &'a BuildConfig, weighed: &[Weighed<'a>], t: &mut Transition) {
        let fired = weighed.iter().filter(|weighed| weighed.is_cause());
        let mut causes: Vec<Cause> = fired.clone().map(Weighed::cause).collect();
        let first_sight = fired.clone().all(|weighed| weighed.stored_identity().is_none());
        let urgency = match (causes.is_empty(), first_sight) {
            (true, _) => Urgency::ConfigChange,
            (false, true) => Urgency::FirstSight,
            (false, false) => Urgency::ImageChange,
        };
        if config.config_change && !self.controller.was_built(&config.key) {
            causes.push(Cause::ConfigChange);
        }
        let (build, id) = self.next(config);
        let (base, image_sources) = (self.base(config), self.image_sources(config));
        let making = Making { config, base, image_sources, causes, env: &[], revision: None };
        let spec = making.spec(build.clone(), id, self.now.wall);
        for weighed in fired {
            t.notes.push(Note::TriggerFired {
                config: config.key.clone(),
                build: build.clone(),
                tag: weighed.key.tag.clone(),
                digest: weighed.digest(),
                old_digest: weighed.old_digest(),
            });
        }
        let made = self.make(config, spec, urgency, None, t);
        self.settle(config, &build, weighed, Weighed::is_cause, t);
        policy::make_room(self.controller, &build, &made, self.now, t);
    }

    /// The name and the id of the next build of `config`.
    pub(super) fn next(&self, config: &BuildConfig) -> (BuildKey, Uuid) {
        let key = self.controller.next_build(&config.key);
        let id = Uuid::new_v5(&self.controller.store_id, key.to_string().as_bytes());
        (key, id)
    }

    /// The strategy's own image, pinned; none where it is made from nothing, or from what was never resolved.
    pub(super) fn base(&self, config: &BuildConfig) -> Option<PinnedImage> {
        self.pinned(config.strategy.from.as_ref()?)
    }

    /// The other images that the build uses, pinned in the same look (F29, D1).
    pub(super) fn image_sources(&self, config: &BuildConfig) -> Vec<PinnedSource> {
        let pinned = |source: &ImageSource| {
            Some(PinnedSource { image: self.pinned(&source.from)?, of_use: source.of_use.clone() })
        };
        config.image_sources.iter().filter_map(pinned).collect()
    }

    fn pinned(&self, base: &Base) -> Option<PinnedImage> {
        match base {
            Base::Tag(from) => Some(PinnedImage::new(from, self.image(&from.tag)?)),
            Base::Image { text, tag } => Some(PinnedImage::as_written(text, tag)),
        }
    }

    /// The build's record and what it is given; all in the transition that stores the triggers (invariant 1).
    pub(super) fn make(
        &self,
        config: &BuildConfig,
        spec: BuildSpec,
        urgency: Urgency,
        asked_as: Option<&str>,
        t: &mut Transition,
    ) -> Build {
        t.notes.push(Note::BuildQueued { build: spec.build.clone(), urgency });
        self.controller.count(&spec.build, urgency, t);
        let build = Build {
            id: spec.id,
            urgency,
            run_policy: config.policy.run_policy,
            supersede: config.policy.supersede,
            runner: spec.venue.as_ref().and_then(|venue| venue.runner.clone()),
            created: self.now.wall,
            key: asked_as.map(Into::into),
            ended: None,
            phase: Phase::New,
            attempts: 0,
            interruptions: 0,
            cancel_asked: false,
            history: Vec::new(),
            images: Vec::new(),
            commit: None,
        };
        t.records.push(Record::Build(spec.build.clone(), Some(Box::new(build.clone()))));
        t.specs.push(spec);
        build
    }

    /// Every trigger of the config stores what it sees now, the held ones too (F17); one whose tag is unresolved keeps
    /// what it had (D4). An image that is news and no cause of the build is swallowed by it (D5).
    pub(super) fn settle(
        &self,
        config: &BuildConfig,
        build: &BuildKey,
        weighed: &[Weighed<'a>],
        is_cause: impl Fn(&Weighed<'a>) -> bool,
        t: &mut Transition,
    ) {
        for weighed in weighed {
            let stored = match weighed.is_news {
                true => Some(weighed.image.identity.clone()),
                false => weighed.followed(),
            };
            // A build does not bring back a platform.
            let pending = weighed.lacks_platform().then(|| weighed.pending(self.now));
            let old = weighed.stored.as_deref().cloned().unwrap_or_default();
            let new = TriggerRecord { pending, ..old.settled(stored) };
            if weighed.is_news && !is_cause(weighed) {
                t.notes.push(Note::TriggerSwallowed {
                    config: config.key.clone(),
                    build: build.clone(),
                    tag: weighed.key.tag.clone(),
                    digest: weighed.digest(),
                });
            }
            self.store(&weighed.key, new, t);
        }
    }
}

impl Controller {
    /// Whether `config` was ever built, or may have been before its state was lost.
    pub(super) fn was_built(&self, config: &ConfigKey) -> bool {
        let record = self.records.configs.get(config);
        record.is_some_and(|record| record.last_number > 0 || record.config_known)
            || self.records.builds_of(config).next().is_some()
    }

    /// The next build of `config`. A record may be missing after a loss of state; a number is used once all the same.
    #[must_use]
    pub fn next_build(&self, config: &ConfigKey) -> BuildKey {
        let record = self.records.configs.get(config).map_or(0, |record| record.last_number);
        let known = self.records.builds_of(config).next_back().map_or(0, |(key, _)| key.number);
        BuildKey { config: config.clone(), number: record.max(known) + 1 }
    }

    /// The number of `build` is used. What was held for a first start has its first build, unless that is an old one again.
    fn count(&self, build: &BuildKey, urgency: Urgency, t: &mut Transition) {
        let old = self.config_record(&build.config);
        let first_start = match old.first_start {
            FirstStart::Held(_) if urgency != Urgency::Rebuild => FirstStart::None,
            other @ (FirstStart::None | FirstStart::Held(_) | FirstStart::Released) => other,
        };
        let record = ConfigRecord { last_number: build.number, first_start, ..old };
        t.records.push(Record::Config(build.config.clone(), Some(Box::new(record))));
    }
}

impl Weighed<'_> {
    /// The trigger as a cause of a build.
    fn cause(&self) -> Cause {
        let image = PinnedImage::new(&self.trigger.from, self.image);
        Cause::ImageChange { image, old_digest: self.old_digest() }
    }
}
