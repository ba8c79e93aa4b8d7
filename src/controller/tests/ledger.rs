//! An onlooker with a pencil: reads every transition that was stored, and objects to what must never be.
//!
//! It keeps accounts of its own and trusts none of the controller's: what a trigger has stored, for one, it works out
//! from the builds that were made.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use uuid::Uuid;

use super::support::*;
use crate::controller::*;
use crate::image::{Digest, TagRef};

/// Everything that was ever stored, and what came of it.
#[derive(Default)]
pub(super) struct Ledger {
    /// What is on the disk now.
    pub(super) records: Records,
    /// Every build that was ever made, those too whose records are gone.
    pub(super) made: BTreeMap<BuildKey, Made>,
    /// What each trigger last fired for, swallowed or recorded.
    pub(super) settled: HashMap<TriggerKey, Settled>,
}

/// A build that was made.
pub(super) struct Made {
    pub(super) spec: BuildSpec,
    pub(super) phase: Phase,
    /// Attempts of its own, without those that were cut off.
    pub(super) runs: u32,
    pub(super) interruptions: u32,
    told_finished: bool,
    cancel_asked: bool,
}

/// What a trigger need not fire for any more, and why.
pub(super) struct Settled {
    pub(super) digest: Digest,
    /// The build that has it; none if it was only recorded.
    pub(super) by: Option<BuildKey>,
}

impl Ledger {
    /// Enters a transition that was decided under `settings` and stored.
    pub(super) fn enter(&mut self, transition: &Transition, settings: &Settings) {
        let new: BTreeSet<&BuildKey> = transition.specs.iter().map(|spec| &spec.build).collect();
        for spec in &transition.specs {
            self.number(spec);
        }
        for record in &transition.records {
            self.write(record, &new);
        }
        for spec in &transition.specs {
            self.check_spec(spec, settings);
        }
        for note in &transition.notes {
            self.read(note);
        }
        self.check_ends(transition);
        self.check_starts(transition, settings);
    }

    /// The newest build of a config.
    pub(super) fn newest(&self, config: &ConfigKey) -> Option<(&BuildKey, &Made)> {
        let from = BuildKey { config: config.clone(), number: 0 };
        let to = BuildKey { config: config.clone(), number: u64::MAX };
        self.made.range((Bound::Included(from), Bound::Included(to))).next_back()
    }

    /// Build numbers have no gaps, none is used twice, and the id says whose number it is.
    fn number(&mut self, spec: &BuildSpec) {
        let key = &spec.build;
        let last = self.newest(&key.config).map_or(0, |(newest, _)| newest.number);
        assert_eq!(key.number, last + 1, "the number after {last} of {} is {}", key.config, key.number);
        assert_eq!(spec.id, Uuid::new_v5(&STORE, key.to_string().as_bytes()));
        let spec = spec.clone();
        let made = Made {
            spec,
            phase: Phase::New,
            runs: 0,
            interruptions: 0,
            told_finished: false,
            cancel_asked: false,
        };
        self.made.insert(key.clone(), made);
    }

    /// One record goes to the disk and is read back.
    fn write(&mut self, record: &Record, new: &BTreeSet<&BuildKey>) {
        let line = serde_json::to_string(record).unwrap();
        assert_eq!(*record, serde_json::from_str(&line).unwrap(), "{line}");
        if let Record::Build(key, build) = record {
            self.write_build(key, build.as_deref(), new);
        }
        if let Record::Trigger(key, None) = record {
            self.settled.remove(key);
        }
        self.records.put(record.clone());
    }

    fn write_build(&mut self, key: &BuildKey, build: Option<&Build>, new: &BTreeSet<&BuildKey>) {
        let made = self.made.get_mut(key).unwrap_or_else(|| panic!("{key} has a record and was never made"));
        let Some(build) = build else {
            assert!(made.phase.is_terminal(), "{key} was let go as {}", made.phase.name());
            return;
        };
        match self.records.builds.get(key) {
            None => assert!(new.contains(key), "{key} came back"),
            Some(old) if old.phase.is_terminal() => assert_eq!(**old, *build, "{key} had ended"),
            Some(old) => assert!(old.id == build.id && old.attempts <= build.attempts),
        }
        made.phase = build.phase.clone();
        made.runs = build.attempts - build.interruptions;
        made.interruptions = build.interruptions;
    }

    /// Every reference is pinned and from one look at the state, and no trigger fires for what it has stored.
    fn check_spec(&mut self, spec: &BuildSpec, settings: &Settings) {
        let key = &spec.build;
        let config = settings.build_configs.iter().find(|config| config.key == key.config).unwrap();
        self.check_pinned(&spec.base_image);
        assert_eq!(spec.base_image.tag, config.strategy.from);
        assert_eq!(spec.command[1], format!("BASE={}", spec.base_image.reference));
        let place = |tag: &TagRef| config.triggers.iter().position(|trigger| trigger.tag == *tag).unwrap();
        let mut places = Vec::new();
        for cause in &spec.causes {
            let Cause::ImageChange { image, old_digest } = cause;
            self.check_pinned(image);
            let trigger = TriggerKey { config: key.config.clone(), tag: image.tag.clone() };
            let settled = self.settled.get(&trigger).map(|settled| &settled.digest);
            assert!(!self.is_paused(&trigger), "{trigger} fires and is paused");
            assert_ne!(image.digest.as_ref(), settled, "{trigger} fires for what it has stored");
            assert_eq!(old_digest.as_ref(), settled, "{trigger} tells another old digest");
            places.push(place(&image.tag));
        }
        assert!(!places.is_empty() && places.is_sorted_by(|a, b| a < b), "{key} has its causes out of order");
        for trigger in &config.triggers {
            self.settle(&key.config, &trigger.tag, Some(key));
        }
    }

    /// Whether a trigger is held back, or all builds of its config are.
    fn is_paused(&self, trigger: &TriggerKey) -> bool {
        let own = self.records.triggers.get(trigger).is_some_and(|record| record.pause.is_some());
        own || self.records.configs.get(&trigger.config).is_some_and(|record| record.pause.is_some())
    }

    fn check_pinned(&self, image: &PinnedImage) {
        let digest = image.digest.as_ref().unwrap();
        assert_eq!(*image.reference, image.tag.pinned(digest));
        let admitted = self.records.tags[&image.tag].admitted();
        assert_eq!(admitted.identity.digest(), Some(digest), "{} is not from the one look", image.tag);
    }

    fn settle(&mut self, config: &ConfigKey, tag: &TagRef, by: Option<&BuildKey>) {
        let Some(record) = self.records.tags.get(tag) else { return };
        let digest = record.admitted().identity.digest().unwrap().clone();
        let trigger = TriggerKey { config: config.clone(), tag: tag.clone() };
        self.settled.insert(trigger, Settled { digest, by: by.cloned() });
    }

    fn read(&mut self, note: &Note) {
        if let Note::TriggerRecorded { config, tag, .. } = note {
            self.settle(config, tag, None);
        }
        if let Note::BuildFinished(finished) = note {
            let made = self.made.get_mut(&finished.build).unwrap();
            assert_eq!(made.phase, finished.phase);
            assert!(!made.told_finished, "the end of {} is told twice", finished.build);
            made.told_finished = true;
        }
    }

    /// An end is told and stored together, and what a person called off is not brought back.
    fn check_ends(&mut self, transition: &Transition) {
        for effect in &transition.effects {
            if let Effect::Cancel(attempt) = effect {
                self.made.get_mut(&attempt.build).unwrap().cancel_asked = true;
            }
        }
        for record in &transition.records {
            let Record::Build(key, _) = record else { continue };
            let made = &self.made[key];
            assert_eq!(made.phase.is_terminal(), made.told_finished, "the end of {key}, told and stored");
            let is_off = matches!(made.phase, Phase::Running | Phase::Complete | Phase::Cancelled(_));
            assert!(is_off || !made.cancel_asked, "{key} was called off, and {:?}", made.phase);
        }
    }

    /// What starts is on the disk as running, and no more of it than may.
    fn check_starts(&self, transition: &Transition, settings: &Settings) {
        let mut started = 0;
        for effect in &transition.effects {
            let Effect::Start(attempt) = effect else { continue };
            let build = &self.records.builds[&attempt.build];
            assert!(build.is_running(attempt.attempt) && build.id == attempt.id);
            started += 1;
        }
        let running = self.records.builds.iter().filter(|(_, build)| build.phase == Phase::Running);
        let running: Vec<&ConfigKey> = running.map(|(key, _)| &key.config).collect();
        let configs: BTreeSet<&ConfigKey> = running.iter().copied().collect();
        assert_eq!(configs.len(), running.len(), "a config has two builds running");
        assert!(started == 0 || running.len() <= settings.max_builds, "{} builds run", running.len());
    }
}
