//! An onlooker with a pencil: reads every transition that was stored, and objects to what must never be.
//!
//! It keeps accounts of its own and trusts none of the controller's: what a trigger has stored, for one, it works out
//! from the builds that were made.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use uuid::Uuid;

use super::support::*;
use crate::controller::*;
use crate::image::{Children, Digest, Identity, Platforms, TagRef};

/// Everything that was ever stored, and what came of it.
#[derive(Default)]
pub(super) struct Ledger {
    /// What is on the disk now.
    pub(super) records: Records,
    /// Every build that was ever made, those too whose records are gone.
    pub(super) made: BTreeMap<BuildKey, Made>,
    /// What each trigger last fired for, swallowed or recorded.
    pub(super) settled: HashMap<TriggerKey, Settled>,
    /// What is in every index that was ever pushed. What is not here is a single manifest.
    pub(super) indexes: HashMap<Digest, Children>,
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
#[derive(Clone)]
pub(super) struct Settled {
    /// None on a v1 registry.
    digest: Option<Digest>,
    /// What was in it when it was settled, and what came later and was no news.
    least: Option<Children>,
    /// And what was in those before it, where it was no news itself: a platform that vanished is no news when it returns.
    most: Option<Children>,
    /// The build that has it; none if it was only recorded.
    pub(super) by: Option<BuildKey>,
}

impl Ledger {
    /// Enters a transition that was decided under `settings` and stored.
    pub(super) fn enter(&mut self, transition: &Transition, settings: &Settings) {
        let new: BTreeSet<&BuildKey> = transition.specs.iter().map(|spec| &spec.build).collect();
        let unread = self.unread();
        for spec in &transition.specs {
            self.number(spec);
        }
        for record in &transition.records {
            self.write(record, &new);
        }
        for spec in &transition.specs {
            self.check_spec(spec, &unread, settings);
        }
        for note in &transition.notes {
            self.read(note);
        }
        self.check_followers(transition, settings);
        self.check_ends(transition);
        self.check_starts(transition, settings);
    }

    /// Whether nothing that `trigger` is for has changed since it settled something.
    pub(super) fn is_settled(&self, config: &ConfigKey, trigger: &Trigger, newest: &Digest) -> bool {
        let key = TriggerKey { config: config.clone(), tag: trigger.from.tag.clone() };
        let settled = self.settled.get(&key).unwrap_or_else(|| panic!("{key} settled nothing"));
        let children = self.indexes.get(newest);
        let platforms = &trigger.from.platforms;
        settled.digest.as_ref().is_some_and(|digest| {
            let known =
                |old: &Option<Children>| !is_news(platforms, (newest, children), (digest, old.as_ref()));
            known(&settled.most) || (is_legacy(platforms) && known(&settled.least))
        })
    }

    /// Whether an index lacks a platform that `trigger` is for.
    pub(super) fn is_lacking(&self, trigger: &Trigger, newest: &Digest) -> bool {
        let Platforms::These(wanted) = &trigger.from.platforms else { return false };
        self.indexes
            .get(newest)
            .is_some_and(|index| wanted.iter().any(|platform| !index.contains_key(platform)))
    }

    /// Triggers that do not know what is in the index that they have stored: for these every move may be news.
    fn unread(&self) -> BTreeSet<TriggerKey> {
        let is_unread = |record: &TriggerRecord| record.stored.as_ref().is_some_and(is_unread);
        let unread = self.records.triggers.iter().filter(|(_, record)| is_unread(record));
        unread.map(|(key, _)| key.clone()).collect()
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
            None => {
                assert!(new.contains(key), "{key} came back");
                let mut others = self.records.builds_of(&key.config);
                let same = others.find(|(_, other)| build.key.is_some() && other.key == build.key);
                assert!(same.is_none(), "{key} was asked for before: {same:?}");
            }
            Some(old) if old.phase.is_terminal() => assert_eq!(**old, *build, "{key} had ended"),
            Some(old) => assert!(old.id == build.id && old.attempts <= build.attempts),
        }
        made.phase = build.phase.clone();
        made.runs = build.attempts - build.interruptions;
        made.interruptions = build.interruptions;
    }

    /// Every reference is pinned and from one look at the state, and no trigger fires for what it has stored.
    fn check_spec(&mut self, spec: &BuildSpec, unread: &BTreeSet<TriggerKey>, settings: &Settings) {
        let key = &spec.build;
        let config = settings.build_configs.iter().find(|config| config.key == key.config).unwrap();
        let record = &self.records.configs[&key.config];
        assert!(record.pause.is_none(), "{key} is made, and all builds are paused");
        assert_eq!(spec.command[1], format!("BASE={}", spec.base().reference));
        if let Cause::Rebuild { of } = &spec.causes[0] {
            // It is of old images, and no trigger hears of it.
            assert_eq!(spec.base_image, self.made[of].spec.base_image, "{key} is not {of} again");
            return;
        }
        self.check_pinned(spec.base(), &config.strategy.stream_tag().unwrap().platforms);
        assert_eq!(spec.base().tag, *config.strategy.tag().unwrap());
        let place =
            |tag: &TagRef| config.triggers.iter().position(|trigger| trigger.from.tag == *tag).unwrap();
        let mut places = Vec::new();
        for cause in &spec.causes {
            match cause {
                Cause::ImageChange { image, old_digest } => {
                    self.check_cause(key, config.trigger(&image.tag).unwrap(), (image, old_digest), unread);
                    places.push(place(&image.tag));
                }
                Cause::ConfigChange => {
                    assert!(config.config_change && key.number == 1, "{key} is no first build");
                }
                Cause::Manual | Cause::Webhook { .. } => assert_eq!(spec.causes.len(), 1, "{key}"),
                Cause::Rebuild { .. } => panic!("{key} is a rebuild, and for another reason"),
            }
        }
        assert!(!spec.causes.is_empty() && places.is_sorted_by(|a, b| a < b), "{key}: {:?}", spec.causes);
        for trigger in &config.triggers {
            self.settle(&key.config, &trigger.from.tag, Some(key));
        }
    }

    /// A trigger fires for an image that it has not, and only for what is news to it.
    fn check_cause(
        &self,
        build: &BuildKey,
        on: &Trigger,
        (image, old_digest): (&PinnedImage, &Option<Digest>),
        unread: &BTreeSet<TriggerKey>,
    ) {
        let platforms = &on.from.platforms;
        self.check_pinned(image, platforms);
        let trigger = TriggerKey { config: build.config.clone(), tag: image.tag.clone() };
        assert!(!self.is_paused(&trigger), "{trigger} fires and is paused");
        let own = self.records.tags[&image.tag].admitted().identity.digest();
        let Some(settled) = self.settled.get(&trigger) else {
            assert_eq!(old_digest, &None, "{trigger} tells an old digest of nothing");
            return;
        };
        let own = own.unwrap_or_else(|| panic!("{trigger} fires on v1 and not for the first time"));
        assert_ne!(Some(own), settled.digest.as_ref(), "{trigger} fires for what it has stored");
        let is_told = match platforms {
            Platforms::Legacy(_) => old_digest.is_some() == settled.digest.is_some(),
            Platforms::All | Platforms::Index | Platforms::These(_) => *old_digest == settled.digest,
        };
        assert!(is_told, "{trigger} tells another old digest");
        if unread.contains(&trigger) || self.is_unread(&image.tag) {
            return;
        }
        if let Some(digest) = &settled.digest {
            let news = |old: &Option<Children>| {
                is_news(platforms, (own, self.indexes.get(own)), (digest, old.as_ref()))
            };
            // Another of the images may have stood for the index when it was settled.
            let is_news = news(&settled.least) || (is_legacy(platforms) && news(&settled.most));
            assert!(is_news, "{trigger} fires for nothing that it is for");
        }
    }

    /// Whether a trigger is held back, or all builds of its config are.
    fn is_paused(&self, trigger: &TriggerKey) -> bool {
        let own = self.records.triggers.get(trigger).is_some_and(|record| record.pause.is_some());
        own || self.records.configs.get(&trigger.config).is_some_and(|record| record.pause.is_some())
    }

    fn check_pinned(&self, image: &PinnedImage, platforms: &Platforms) {
        let admitted = self.records.tags[&image.tag].admitted();
        let given = admitted.identity.digest().map(|own| given(platforms, own, admitted.identity.children()));
        let digest = image.digest.as_ref();
        let pinned = digest.map_or_else(|| image.tag.v1_reference(), |digest| image.tag.pinned(digest));
        assert_eq!(*image.reference, pinned);
        assert_eq!(given, digest, "{} is not from the one look", image.tag);
        assert_eq!(admitted.polled.image_id(), image.image_id, "{} is not from the one look", image.tag);
    }

    fn is_unread(&self, tag: &TagRef) -> bool {
        is_unread(&self.records.tags[tag].admitted().identity)
    }

    fn settle(&mut self, config: &ConfigKey, tag: &TagRef, by: Option<&BuildKey>) {
        let Some(record) = self.records.tags.get(tag) else { return };
        let digest = record.admitted().identity.digest().cloned();
        let least = digest.as_ref().and_then(|digest| self.indexes.get(digest).cloned());
        let key = TriggerKey { config: config.clone(), tag: tag.clone() };
        let before = self.settled.remove(&key);
        if let (None, Some(before)) = (&digest, before.as_ref().filter(|before| before.digest.is_some())) {
            // What seems to be v1 now is no news to what was v2, and takes nothing from it (D10).
            let kept = Settled { by: by.cloned(), ..before.clone() };
            self.settled.insert(key, kept);
            return;
        }
        let before = before.and_then(|before| before.most);
        let most = match (&digest, &least, before) {
            (Some(digest), Some(new), Some(old))
                if !is_news(&Platforms::All, (digest, Some(new)), (digest, Some(&old))) =>
            {
                Some(old)
            }
            _ => least.clone(),
        };
        self.settled.insert(key, Settled { digest, least, most, by: by.cloned() });
    }

    /// A trigger may go along with a move that is no news to it, and only with such a one.
    fn check_followers(&mut self, transition: &Transition, settings: &Settings) {
        for record in &transition.records {
            let Record::Trigger(key, Some(record)) = record else { continue };
            let (Some(settled), Some(digest)) =
                (self.settled.get_mut(key), record.stored.as_ref().and_then(Identity::digest))
            else {
                continue;
            };
            if settled.digest.as_ref() == Some(digest) {
                continue;
            }
            let was = settled.digest.as_ref().unwrap_or_else(|| panic!("{key} leaves v1 and does not fire"));
            let config = settings.build_configs.iter().find(|config| config.key == key.config).unwrap();
            let platforms = &config.trigger(&key.tag).unwrap().from.platforms;
            let new = self.indexes.get(digest);
            let known = |old: &Option<Children>| !is_news(platforms, (digest, new), (was, old.as_ref()));
            let is_known = known(&settled.most) || (is_legacy(platforms) && known(&settled.least));
            assert!(is_known, "{key} goes along with what is news to it");
            settled.digest = Some(digest.clone());
            for known in [&mut settled.least, &mut settled.most] {
                match (known.as_mut(), new) {
                    (Some(known), Some(new)) => known.extend(new.clone()),
                    (Some(_) | None, new) => *known = new.cloned(),
                }
            }
        }
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
        let running: Vec<(&ConfigKey, RunPolicy)> =
            running.map(|(key, build)| (&key.config, build.run_policy)).collect();
        for (config, policy) in &running {
            let beside = running.iter().filter(|(other, _)| other == config);
            let is_alone = *policy != RunPolicy::Parallel;
            assert!(!is_alone || beside.count() == 1, "{config} has a {policy:?} build beside another");
        }
        assert!(started == 0 || running.len() <= settings.max_builds, "{} builds run", running.len());
    }
}

fn is_unread(identity: &Identity) -> bool {
    matches!(identity, Identity::Index { children: None, .. })
}

/// Whether the first of two images, each with what is in it, is news after the second.
fn is_news(
    platforms: &Platforms,
    new: (&Digest, Option<&Children>),
    old: (&Digest, Option<&Children>),
) -> bool {
    let moved = new.0 != old.0;
    match (platforms, new.1, old.1) {
        // A single manifest may be in an index later, and be the one image of it.
        (Platforms::Legacy(_), in_new, in_old) => {
            moved && given(platforms, new.0, in_new) != given(platforms, old.0, in_old)
        }
        (Platforms::Index, _, _)
        | (Platforms::All | Platforms::These(_), None, _)
        | (Platforms::All | Platforms::These(_), _, None) => moved,
        (Platforms::All, Some(new), Some(old)) => {
            new.iter().any(|(platform, digest)| old.get(platform) != Some(digest))
        }
        (Platforms::These(wanted), Some(new), Some(old)) => {
            let there = wanted.iter().filter_map(|platform| Some((platform, new.get(platform)?)));
            there.into_iter().any(|(platform, digest)| old.get(platform) != Some(digest))
        }
    }
}

fn is_legacy(platforms: &Platforms) -> bool {
    matches!(platforms, Platforms::Legacy(_))
}

/// The digest that builds are given of an image: hosts here are all linux/amd64.
fn given<'a>(platforms: &Platforms, own: &'a Digest, children: Option<&'a Children>) -> &'a Digest {
    let host = "linux/amd64".parse().unwrap();
    let child = children
        .filter(|_| is_legacy(platforms))
        .and_then(|children| children.get(&host).or_else(|| children.values().next()));
    child.unwrap_or(own)
}
