//! The start: what was running, what the configuration asks for, and what must wait for a person.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Controller;
use super::event::{Effect, Note, Now, Release, Transition, Volatile};
use super::key::{ConfigKey, TriggerKey};
use super::record::{CancelReason, ConfigRecord, FirstStart, Phase, Record, TagRecord, TriggerRecord};
use super::settings::{BuildConfig, OnFirst, Settings};
use super::trigger::Look;
use super::verdicts::Verdicts;
use crate::image::{Image, Polled, TagRef};

/// How long a config that never built waits for the first look at each of its tags.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How long what is no longer watched is remembered (D19).
const REMEMBERED: Duration = Duration::from_hours(30 * 24);

impl Controller {
    /// Every attempt that may be alive is looked for before a next one can start (invariant 1). A cancel is said again:
    /// it may not have left before the end of the last process.
    pub(super) fn boot(&self, t: &mut Transition) {
        for (key, build) in self.live_builds().filter(|(_, build)| build.phase == Phase::Running) {
            let last = build.history.last().filter(|last| last.number == build.attempts);
            let handle = last.and_then(|last| last.handle.clone());
            let attempt = build.attempt(key, handle);
            t.effects.push(Effect::Adopt(attempt.clone()));
            if build.cancel_asked {
                t.effects.push(Effect::Cancel(attempt));
            }
        }
    }

    /// New settings. Nothing fires here: the tick that follows compares every level anew.
    pub(super) fn load(&self, settings: &Arc<Settings>, after_loss: bool, now: Now, t: &mut Transition) {
        let kept: BTreeSet<&ConfigKey> = settings.build_configs.iter().map(|config| &config.key).collect();
        for (key, build) in self.live_builds().filter(|(key, _)| !kept.contains(&key.config)) {
            if build.phase != Phase::Running {
                self.call_off(key, build.clone(), CancelReason::ConfigRemoved, now, t);
            }
        }
        self.load_triggers(settings, after_loss, now, t);
        self.load_configs(settings, after_loss, now, t);
        self.forget_words(settings, t);
        self.remember_unwatched(settings, now, t);
        self.load_unasked(settings, now, t);
        t.volatile.push(Volatile::Settings(Arc::clone(settings), now.mono));
    }

    /// Whether the first image that a trigger of `config` sees would be built, or the config for its own sake (F36).
    fn would_build_first(&self, config: &BuildConfig, now: Now) -> bool {
        let released = self.records.configs.get(&config.key).map(|record| record.first_start);
        let first = config.triggers.iter().any(|trigger| {
            let key = TriggerKey { config: config.key.clone(), tag: trigger.from.tag.clone() };
            let stored = self.records.triggers.get(&key);
            stored.is_none_or(|record| record.stored.is_none() && !record.record_next)
                && trigger.last.is_none()
                && !self.is_paused_by_load(&key, trigger, now)
        });
        let first_image = first && config.policy.on_first == OnFirst::Build;
        let first_build = config.config_change && !self.was_built(&config.key) && config.last_version == 0;
        (first_image || first_build)
            && !self.is_config_paused_by_load(config)
            && released != Some(FirstStart::Released)
    }

    /// What a load makes of what is stored about its triggers: they are watched, and paused if it says so anew.
    ///
    /// After a loss of state, what is unknown now was known before and must not be built again (D16).
    fn load_triggers(&self, settings: &Settings, after_loss: bool, now: Now, t: &mut Transition) {
        for config in &settings.build_configs {
            for trigger in &config.triggers {
                let key = TriggerKey { config: config.key.clone(), tag: trigger.from.tag.clone() };
                let mut record = self.with_word_of_config(&key, trigger, now, t);
                if record.pause.is_none() {
                    record.pause = self.pause_to_join(&key, now, t).map(Box::new);
                }
                record.unwatched_since = None;
                if record.stored.is_none() {
                    record.stored = trigger.last.as_deref().cloned();
                }
                record.record_next |= after_loss && record.stored.is_none();
                let old = self.records.triggers.get(&key).map(|old| &**old);
                if old.unwrap_or(&TriggerRecord::default()) != &record {
                    t.records.push(Record::Trigger(key, Some(Box::new(record))));
                }
            }
        }
    }

    /// What a load makes of what is stored about its configs: where their numbers go on, whether all of their builds are
    /// paused, whether the first ones wait for a person, and, after a loss of state, that they were known before (D16).
    fn load_configs(&self, settings: &Settings, after_loss: bool, now: Now, t: &mut Transition) {
        let configs = || settings.build_configs.iter();
        let first: BTreeSet<&ConfigKey> = configs()
            .filter(|config| self.would_build_first(config, now))
            .map(|config| &config.key)
            .collect();
        let are_held = !after_loss && first.len() > settings.hold_above;
        let mut is_news = false;
        for config in configs() {
            let old = self.records.configs.get(&config.key).map(|old| &**old);
            let mut record = self.config_with_word(config, now, t);
            record.last_number = record.last_number.max(config.last_version);
            record.config_known |= after_loss && config.config_change && !self.was_built(&config.key);
            match (record.first_start, first.contains(&config.key)) {
                (FirstStart::None, true) if are_held => {
                    record.first_start = FirstStart::Held(now.wall);
                    is_news = true;
                }
                // Its first images are recorded from now on, and nothing is left to release.
                (FirstStart::Held(_), false) if config.policy.on_first == OnFirst::Record => {
                    record.first_start = FirstStart::None;
                }
                (FirstStart::None | FirstStart::Held(_) | FirstStart::Released, true | false) => {}
            }
            if old.unwrap_or(&ConfigRecord::default()) != &record {
                t.records.push(Record::Config(config.key.clone(), Some(Box::new(record))));
            }
        }
        // A start tells of what it holds. A later load that holds no other than those that are held already does not.
        if are_held && (is_news || self.loaded.settings.build_configs.is_empty()) {
            t.notes.push(Note::BuildsHeld { held: first.len(), hold_above: settings.hold_above });
        }
    }

    /// A config that the configuration has no longer is told of anew if it has it again, whatever it says then.
    fn forget_words(&self, settings: &Settings, t: &mut Transition) {
        let kept: BTreeSet<&ConfigKey> = settings.build_configs.iter().map(|config| &config.key).collect();
        for (key, record) in self.records.configs.iter().filter(|(key, _)| !kept.contains(key)) {
            let forgotten = record.without_word_of_config();
            if forgotten != **record {
                t.records.push(Record::Config(key.clone(), Some(Box::new(forgotten))));
            }
        }
    }

    /// Tags that no registry is asked about are known once they are written (F2); and what is known of others came from a
    /// registry. A configuration is refused in which one image stream asks for a tag and another does not; were there one,
    /// the answer would hold for both.
    fn load_unasked(&self, settings: &Settings, now: Now, t: &mut Transition) {
        let tags = || settings.build_configs.iter().flat_map(|config| config.stream_tags());
        let mut unasked: BTreeSet<&TagRef> =
            tags().filter(|from| from.unasked).map(|from| &from.tag).collect();
        for from in tags().filter(|from| !from.unasked) {
            unasked.remove(&from.tag);
            let known = self.records.tags.get(&from.tag);
            if known.is_some_and(|known| known.observed.polled == Polled::Unasked) {
                t.records.push(Record::Tag(from.tag.clone(), None));
            }
        }
        for tag in unasked {
            let observed = Image::new(Polled::Unasked, None);
            if self.records.tags.get(tag).is_none_or(|record| record.observed != observed) {
                let record =
                    TagRecord { observed, since: now.wall, earlier: Vec::new(), unwatched_since: None };
                t.records.push(Record::Tag(tag.clone(), Some(Box::new(record))));
            }
        }
    }

    /// What nobody watches any more keeps what it stored for a while, so that adding it again builds nothing (D19).
    fn remember_unwatched(&self, settings: &Settings, now: Now, t: &mut Transition) {
        let configs: BTreeMap<&ConfigKey, &BuildConfig> =
            settings.build_configs.iter().map(|config| (&config.key, &**config)).collect();
        let tags: BTreeSet<&TagRef> = configs.values().flat_map(|config| config.tags()).collect();
        for (key, record) in &self.records.triggers {
            if configs.get(&key.config).is_some_and(|config| config.trigger(&key.tag).is_some()) {
                continue;
            }
            match fate(record.unwatched_since.as_deref(), false, now.wall) {
                Fate::Stay => {}
                Fate::Mark(since) => {
                    let since = since.map(Box::new);
                    let record = TriggerRecord { unwatched_since: since, ..record.without_word_of_config() };
                    t.records.push(Record::Trigger(key.clone(), Some(Box::new(record))));
                }
                Fate::Forget => t.records.push(Record::Trigger(key.clone(), None)),
            }
        }
        for (tag, record) in &self.records.tags {
            let marked = |unwatched_since| Box::new(TagRecord { unwatched_since, ..(**record).clone() });
            match fate(record.unwatched_since.as_deref(), tags.contains(tag), now.wall) {
                Fate::Stay => {}
                Fate::Mark(since) => {
                    t.records.push(Record::Tag(tag.clone(), Some(marked(since.map(Box::new)))));
                }
                Fate::Forget => t.records.push(Record::Tag(tag.clone(), None)),
            }
        }
    }

    /// Lets held configs go. The tick that follows builds them.
    pub(super) fn release(&self, release: &Release, t: &mut Transition) {
        let wanted = |key: &ConfigKey| match release {
            Release::All => true,
            Release::These(keys) => keys.contains(key),
        };
        let mut dirty = self.dirty.clone();
        let mut released = 0;
        for (key, record) in self.records.configs.iter().filter(|(key, _)| wanted(key)) {
            if let FirstStart::Held(_) = record.first_start {
                let record = ConfigRecord { first_start: FirstStart::Released, ..(**record).clone() };
                t.records.push(Record::Config(key.clone(), Some(Box::new(record))));
                dirty.insert(key.clone());
                released += 1;
            }
        }
        if released > 0 {
            t.notes.push(Note::BuildsReleased { released });
            t.volatile.push(Volatile::Dirty(dirty));
        }
    }

    /// What time brings: levels to compare first, then builds to start. The driver ticks until nothing comes of it.
    pub(super) fn tick(&self, now: Now, t: &mut Transition) {
        if self.patience.is_some_and(|until| until <= now.mono) {
            t.volatile.push(Volatile::PatienceEnded);
        } else if self.pauses.next().is_some_and(|end| end <= now.wall) {
            self.end_pauses(now, t);
        } else if self.dirty.is_empty() {
            self.schedule(now, t);
        } else {
            let look = Look { controller: self, fresh: &[], now };
            let mut sum = Verdicts::default();
            for config in self.dirty.iter().filter_map(|key| self.config(key)) {
                sum += look.evaluate(config, t);
            }
            sum.tell_missing(t);
            t.volatile.push(Volatile::Dirty(BTreeSet::new()));
        }
    }
}

/// What becomes of the record of something that is, or is no longer, watched.
enum Fate {
    Stay,
    /// Remember since when it is unwatched; `None` if it is watched again.
    Mark(Option<Timestamp>),
    Forget,
}

fn fate(unwatched: Option<&Timestamp>, watched: bool, now: Timestamp) -> Fate {
    match (unwatched, watched) {
        (Some(_), true) => Fate::Mark(None),
        (None, false) => Fate::Mark(Some(now)),
        (Some(since), false) if now.duration_since(*since).unsigned_abs() > REMEMBERED && now > *since => {
            Fate::Forget
        }
        (Some(_), false) | (None, true) => Fate::Stay,
    }
}
