//! The functional core: what an event means, as a [`Transition`] to store before anything follows from it.
//!
//! [`Controller::decide`] and [`Controller::apply`] do no I/O and know no clock: time comes in with [`Now`]. Decisions
//! compare levels, not edges: a trigger fires when the identity of its tag differs from the one it stored, so that a
//! restart, a lost observation or a burst of changes needs no code of its own.
//!
//! The driver decides and applies a few events, has the group stored, and only then lets the effects leave. If storing
//! fails it takes the group back with [`Controller::undo`], and memory is as it was.

mod attempt;
mod build;
mod environment;
mod event;
mod key;
mod load;
mod make;
mod pause;
mod policy;
mod record;
mod records;
mod settings;
mod source;
mod start;
mod strategy;
mod tag;
mod trigger;
mod verdicts;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

pub use build::{BuildSpec, Cause, PLACEHOLDERS, PinnedImage};
pub use environment::CUSTOM_BASE_IMAGE;
pub use event::{
    AttemptRef, Effect, Ended, Event, Finished, HoldReason, Note, Now, Release, Transition, Volatile,
};
pub use key::{BuildKey, ConfigKey, KeyError, TriggerKey};
pub use load::PATIENCE;
pub use pause::{Pausable, Pause, PausedBy, ResumedBy};
pub use record::{
    Attempt, Build, BuiltImage, CancelReason, ConfigRecord, Failure, FirstStart, Outcome, PendingChange,
    Phase, Record, RegistryRecord, TagRecord, TriggerRecord, Urgency,
};
pub use records::Records;
pub use settings::{
    BuildConfig, History, OnFirst, OnInterrupt, Policy, Retry, RunPolicy, Settings, StreamTag, Supersede,
    Trigger, Venue,
};
pub use source::{Git, HookKind, ImagePath, ImageSource, ImageUse, Person, PinnedSource, Revision, Source};
pub use start::{Origin, Rebuild, Start, StartRefused};
pub use strategy::{Base, Strategy, StrategyKind, StrategyOptions, Tool};

use crate::image::TagRef;

/// The daemon's mind: what is stored, and what holds only as long as the process.
#[derive(Debug)]
pub struct Controller {
    store_id: Uuid,
    records: Records,
    /// Builds that have not ended.
    live: BTreeSet<BuildKey>,
    /// Pauses that end by themselves.
    pauses: pause::Ends,
    loaded: Loaded,
    /// Tags that were looked at since the last load, in vain or not; known only while there is patience.
    looked: HashSet<TagRef>,
    /// Until when the first build of a config waits for the first looks at its other tags.
    patience: Option<Duration>,
    /// Configs whose triggers are to be evaluated at the next tick.
    dirty: BTreeSet<ConfigKey>,
    draining: bool,
}

/// The settings, with the ways to find something in them.
#[derive(Debug, Clone)]
struct Loaded {
    settings: Arc<Settings>,
    /// The positions of all build configs, by their keys. In order instead of hashed, as what follows: they are for what
    /// changes, so that a little memory is worth more than a little time.
    by_key: Box<[usize]>,
    /// Each tag with the positions of the build configs that it concerns.
    by_tag: Box<[(TagRef, usize)]>,
}

/// How to take back one applied transition.
#[derive(Debug)]
pub struct Undo {
    records: Vec<Record>,
    volatile: Vec<UndoVolatile>,
}

#[derive(Debug)]
enum UndoVolatile {
    Loaded(Box<Loaded>, Option<Duration>, BTreeSet<ConfigKey>),
    /// With the configs that were to be evaluated only since then.
    Looked(TagRef, Vec<ConfigKey>),
    Patience(Option<Duration>, HashSet<TagRef>, BTreeSet<ConfigKey>),
    Dirty(BTreeSet<ConfigKey>),
    Draining(bool),
}

impl Controller {
    /// A controller over what was stored. It knows no settings yet: [`Event::Boot`], then [`Event::Load`] come first.
    #[must_use]
    pub fn new(store_id: Uuid, records: Records) -> Self {
        let live = records.builds.iter().filter(|(_, build)| !build.phase.is_terminal());
        Self {
            store_id,
            live: live.map(|(key, _)| key.clone()).collect(),
            pauses: pause::Ends::of_all(&records),
            records,
            loaded: Loaded::new(Arc::new(Settings::default())),
            looked: HashSet::new(),
            patience: None,
            dirty: BTreeSet::new(),
            draining: false,
        }
    }

    /// What `event` means now. Nothing is changed by asking.
    #[must_use]
    pub fn decide(&self, event: &Event, now: Now) -> Transition {
        let mut transition = Transition::default();
        let t = &mut transition;
        match event {
            Event::Boot => self.boot(t),
            Event::Load { settings, after_loss } => self.load(settings, *after_loss, now, t),
            Event::Observed { tag, found } => self.observed(tag, found, now, t),
            Event::Unresolved { tag, is_v2 } => self.unresolved(tag, *is_v2, now, t),
            Event::Accepted { build, attempt, handle } => self.accepted(build, *attempt, handle, t),
            Event::Ended(ended) => self.ended(ended, now, t),
            Event::Start(start) => self.start(start, now, t),
            Event::Rebuild(rebuild) => self.rebuild(rebuild, now, t),
            Event::Release(release) => self.release(release, t),
            Event::Pause { what, reason, until } => self.hold_back(what, reason.as_deref(), *until, now, t),
            Event::Resume(what) => self.let_go_on(what, ResumedBy::Command, t),
            Event::Cancel { build } => self.cancel(build, now, t),
            Event::Drain => t.volatile.push(Volatile::Draining),
            Event::Tick => self.tick(now, t),
        }
        transition
    }

    /// Makes a decision part of the mind.
    pub fn apply(&mut self, transition: &Transition) -> Undo {
        let records = transition.records.iter().map(|record| self.put(record.clone())).collect();
        let volatile = transition.volatile.iter().map(|change| self.put_volatile(change)).collect();
        Undo { records, volatile }
    }

    /// Takes back a transition that could not be stored; the last one applied goes first.
    pub fn undo(&mut self, undo: Undo) {
        for change in undo.volatile.into_iter().rev() {
            self.take_back(change);
        }
        for record in undo.records.into_iter().rev() {
            self.put(record);
        }
    }

    /// How long until an [`Event::Tick`] is due although nothing happens; zero exactly if one has something to do now.
    #[must_use]
    pub fn next_tick(&self, now: Now) -> Option<Duration> {
        if !self.dirty.is_empty() || !self.next_builds(now).is_empty() {
            return Some(Duration::ZERO);
        }
        let pauses = self.pauses.next().map(|end| wait_until(end, now));
        let patience = self.patience.map(|until| until.saturating_sub(now.mono));
        // A retry that is due and cannot start is started by what makes room for it.
        let waits = self.live_builds().filter_map(|(_, build)| policy::wait_left(build, now.wall));
        let retry = waits.filter(|left| !left.is_zero() && !self.draining).min();
        patience.into_iter().chain(pauses).chain(retry).min()
    }

    /// Everything that is stored.
    #[must_use]
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// What it decides by.
    #[must_use]
    pub fn settings(&self) -> &Arc<Settings> {
        &self.loaded.settings
    }

    /// The settings of one build config.
    #[must_use]
    pub fn config(&self, key: &ConfigKey) -> Option<&Arc<BuildConfig>> {
        let Loaded { settings, by_key, .. } = &self.loaded;
        let at = |position: &usize| settings.build_configs.get(*position);
        let found = by_key.binary_search_by_key(&Some(key), |position| Some(&at(position)?.key));
        at(by_key.get(found.ok()?)?)
    }

    /// The builds that have not ended, by name.
    pub fn live_builds(&self) -> impl Iterator<Item = (&BuildKey, &Build)> {
        self.live.iter().filter_map(|key| Some((key, &**self.records.builds.get(key)?)))
    }

    /// Whether `tag` concerns a build config. A look at one may arrive after the load that took it out.
    #[must_use]
    pub fn watches(&self, tag: &TagRef) -> bool {
        self.configs_on(tag).next().is_some()
    }

    /// The configs that `tag` concerns.
    fn configs_on<'a>(&'a self, tag: &'a TagRef) -> impl Iterator<Item = &'a Arc<BuildConfig>> {
        let Loaded { settings, by_tag, .. } = &self.loaded;
        let first = by_tag.partition_point(|(known, _)| known < tag);
        let concerned = by_tag.iter().skip(first).take_while(move |(known, _)| known == tag);
        concerned.filter_map(|(_, position)| settings.build_configs.get(*position))
    }

    fn put(&mut self, record: Record) -> Record {
        if let Record::Build(key, build) = &record {
            match build.as_ref().is_some_and(|build| !build.phase.is_terminal()) {
                true => self.live.insert(key.clone()),
                false => self.live.remove(key),
            };
        }
        let end = pause::Ends::of(&record);
        let old = self.records.put(record);
        self.pauses.replace(&old, end);
        old
    }

    fn put_volatile(&mut self, change: &Volatile) -> UndoVolatile {
        match change {
            Volatile::Settings(settings, at) => {
                let dirty = settings.build_configs.iter().map(|config| config.key.clone()).collect();
                let loaded = std::mem::replace(&mut self.loaded, Loaded::new(Arc::clone(settings)));
                let patience = self.patience.replace(*at + PATIENCE);
                let dirty = std::mem::replace(&mut self.dirty, dirty);
                UndoVolatile::Loaded(Box::new(loaded), patience, dirty)
            }
            Volatile::Looked(tag) => {
                let waiting = self.configs_on(tag).map(|config| &config.key);
                let added: Vec<ConfigKey> =
                    waiting.filter(|key| !self.dirty.contains(*key)).cloned().collect();
                self.dirty.extend(added.iter().cloned());
                self.looked.insert(tag.clone());
                UndoVolatile::Looked(tag.clone(), added)
            }
            Volatile::PatienceEnded => {
                let all =
                    self.loaded.settings.build_configs.iter().map(|config| config.key.clone()).collect();
                let dirty = std::mem::replace(&mut self.dirty, all);
                UndoVolatile::Patience(self.patience.take(), std::mem::take(&mut self.looked), dirty)
            }
            Volatile::Dirty(keys) => UndoVolatile::Dirty(std::mem::replace(&mut self.dirty, keys.clone())),
            Volatile::Draining => UndoVolatile::Draining(std::mem::replace(&mut self.draining, true)),
        }
    }

    fn take_back(&mut self, change: UndoVolatile) {
        match change {
            UndoVolatile::Loaded(loaded, patience, dirty) => {
                self.loaded = *loaded;
                self.patience = patience;
                self.dirty = dirty;
            }
            UndoVolatile::Looked(tag, added) => {
                self.looked.remove(&tag);
                self.dirty.retain(|key| !added.contains(key));
            }
            UndoVolatile::Patience(patience, looked, dirty) => {
                self.patience = patience;
                self.looked = looked;
                self.dirty = dirty;
            }
            UndoVolatile::Dirty(dirty) => self.dirty = dirty,
            UndoVolatile::Draining(draining) => self.draining = draining,
        }
    }
}

/// How long until an instant of the wall clock; zero if it has passed.
fn wait_until(instant: Timestamp, now: Now) -> Duration {
    Duration::try_from(instant.duration_since(now.wall)).unwrap_or_default()
}

impl Loaded {
    fn new(settings: Arc<Settings>) -> Self {
        let configs = &settings.build_configs;
        let mut by_key: Box<[usize]> = (0..configs.len()).collect();
        by_key.sort_by_key(|position| configs.get(*position).map(|config| &config.key));
        let tags = configs.iter().enumerate();
        let mut by_tag: Vec<(TagRef, usize)> = tags
            .flat_map(|(position, config)| config.tags().map(move |tag| (tag.clone(), position)))
            .collect();
        by_tag.sort();
        Self { by_key, by_tag: by_tag.into(), settings }
    }
}

#[cfg(test)]
mod tests;
