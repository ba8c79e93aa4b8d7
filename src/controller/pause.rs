//! Pausing and resuming: what holds a trigger back, who said so, and until when.
//!
//! Two can say it, a person by command and the configuration, and the last of the two wins, trigger by trigger (D20).
//! A configuration says something only by differing from what it said at the last load: loading the same again must not
//! take back what a person did meanwhile. So each trigger stores both its pause and what the last load said.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Controller;
use super::event::{Note, Now, Transition, Volatile};
use super::key::{ConfigKey, TriggerKey};
use super::record::{ConfigRecord, Record, TriggerRecord};
use super::records::Records;
use super::settings::{BuildConfig, Trigger};
use crate::image::{Identity, TagRef};

/// A word that holds something back until another word, or an instant, lets it go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when it is held back, whoever said so first.
    pub since: Timestamp,
    /// Who had the last word.
    pub by: PausedBy,
    /// What a person gave as the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Box<str>>,
    /// When it ends by itself; never, if there is no such instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Who can pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PausedBy {
    /// A person, by `basewatch pause`.
    Command,
    /// The configuration, by `paused = true`.
    Config,
}

/// What can end a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResumedBy {
    /// A person, by `basewatch resume`.
    Command,
    /// The configuration, by `paused = false` after `true`.
    Config,
    /// The instant that was named with it.
    Until,
}

/// What a person pauses or resumes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pausable {
    /// These triggers.
    pub triggers: Vec<TriggerKey>,
    /// All builds of these build configs, whatever asks for them.
    pub configs: Vec<ConfigKey>,
}

/// What a pause can be on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Paused {
    Trigger(TriggerKey),
    Config(ConfigKey),
}

/// Pauses that end by themselves, the next one first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ends(BTreeSet<(Timestamp, Paused)>);

impl Controller {
    /// What keeps the trigger of `config` on `tag` from starting anything, if something does.
    #[must_use]
    pub fn pause_on(&self, config: &ConfigKey, tag: &TagRef) -> Option<&Pause> {
        let key = TriggerKey { config: config.clone(), tag: tag.clone() };
        let trigger = self.records.triggers.get(&key).and_then(|record| record.pause.as_deref());
        trigger.or_else(|| self.pause_of(config))
    }

    /// What keeps `config` from building anything, whatever asks for it (F22).
    #[must_use]
    pub fn pause_of(&self, config: &ConfigKey) -> Option<&Pause> {
        self.records.configs.get(config)?.pause.as_deref()
    }

    /// A person pauses something. Said again it takes the place of what was said before; but what is paused without an
    /// end stays so, because to let something go on takes a word that says so.
    pub(super) fn hold_back(
        &self,
        what: &Pausable,
        reason: Option<&str>,
        until: Option<Timestamp>,
        now: Now,
        t: &mut Transition,
    ) {
        let pause = |old: Option<&Pause>| Pause {
            since: old.map_or(now.wall, |old| old.since),
            by: PausedBy::Command,
            reason: reason.map(Into::into),
            until: until.filter(|_| old.is_none_or(|old| old.until.is_some())),
        };
        for key in &what.triggers {
            let old = self.trigger_record(key);
            let new = pause(old.pause.as_deref());
            if old.pause.as_deref() != Some(&new) {
                t.notes.push(paused(&key.config, Some(&key.tag), &new));
                let record = TriggerRecord { pause: Some(Box::new(new)), ..old };
                t.records.push(Record::Trigger(key.clone(), Some(Box::new(record))));
            }
        }
        for key in &what.configs {
            let old = self.config_record(key);
            let new = pause(old.pause.as_deref());
            if old.pause.as_deref() != Some(&new) {
                t.notes.push(paused(key, None, &new));
                let record = ConfigRecord { pause: Some(Box::new(new)), ..old };
                t.records.push(Record::Config(key.clone(), Some(Box::new(record))));
            }
        }
    }

    /// Something may go on. The tick that follows looks at it at once (D2).
    pub(super) fn let_go_on(&self, what: &Pausable, by: ResumedBy, t: &mut Transition) {
        let mut dirty = self.dirty.clone();
        let before = t.records.len();
        for key in &what.triggers {
            let old = self.trigger_record(key);
            if old.pause.is_some() {
                t.notes.push(resumed(&key.config, Some(&key.tag), by));
                let record = TriggerRecord { pause: None, ..old };
                t.records.push(Record::Trigger(key.clone(), Some(Box::new(record))));
                dirty.insert(key.config.clone());
            }
        }
        for key in &what.configs {
            let old = self.config_record(key);
            if old.pause.is_some() {
                t.notes.push(resumed(key, None, by));
                let record = ConfigRecord { pause: None, ..old };
                t.records.push(Record::Config(key.clone(), Some(Box::new(record))));
                dirty.insert(key.clone());
            }
        }
        if t.records.len() > before {
            t.volatile.push(Volatile::Dirty(dirty));
        }
    }

    /// The pauses that were to end by now do.
    pub(super) fn end_pauses(&self, now: Now, t: &mut Transition) {
        let mut what = Pausable::default();
        for paused in self.pauses.due(now.wall) {
            match paused {
                Paused::Trigger(key) => what.triggers.push(key.clone()),
                Paused::Config(key) => what.configs.push(key.clone()),
            }
        }
        self.let_go_on(&what, ResumedBy::Until, t);
    }

    /// The record of a trigger with what a load says of its pause. The same as at the last load says nothing.
    pub(super) fn with_word_of_config(
        &self,
        key: &TriggerKey,
        trigger: &Trigger,
        now: Now,
        t: &mut Transition,
    ) -> TriggerRecord {
        let old = self.trigger_record(key);
        if old.paused_in_config == trigger.paused {
            return old;
        }
        let pause = word(old.pause.as_deref(), trigger.paused, (&key.config, Some(&key.tag)), now, t);
        TriggerRecord { pause, paused_in_config: trigger.paused, ..old }
    }

    /// The record of a config with what a load says of all its builds. The same as at the last load says nothing.
    pub(super) fn config_with_word(
        &self,
        config: &BuildConfig,
        now: Now,
        t: &mut Transition,
    ) -> ConfigRecord {
        let old = self.config_record(&config.key);
        if old.paused_in_config == config.paused {
            return old;
        }
        let pause = word(old.pause.as_deref(), config.paused, (&config.key, None), now, t);
        ConfigRecord { pause, paused_in_config: config.paused, ..old }
    }

    /// The pause of a trigger that a load adds to a config of which a person paused every other one: that was a word
    /// about the config, however its tags are changed meanwhile (D20).
    pub(super) fn pause_to_join(&self, key: &TriggerKey, now: Now, t: &mut Transition) -> Option<Pause> {
        let pause = Pause { since: now.wall, ..self.shared_pause(key, now)?.clone() };
        t.notes.push(paused(&key.config, Some(&key.tag), &pause));
        Some(pause)
    }

    /// What a person said of every trigger that the config of `key` has, if `key` is none of them; the longest, if they
    /// differ. After a restart nobody knows which triggers there were.
    fn shared_pause(&self, key: &TriggerKey, now: Now) -> Option<&Pause> {
        let old = self.config(&key.config).filter(|old| old.trigger(&key.tag).is_none())?;
        let said = |trigger: &Trigger| {
            let key = TriggerKey { config: key.config.clone(), tag: trigger.from.tag.clone() };
            let pause = self.records.triggers.get(&key)?.pause.as_deref()?;
            let lasts = pause.until.is_none_or(|until| until > now.wall);
            (lasts && pause.by == PausedBy::Command).then_some(pause)
        };
        let pauses = old.triggers.iter().map(said).collect::<Option<Vec<&Pause>>>()?;
        pauses.into_iter().max_by_key(|pause| (pause.until.is_none(), pause.until))
    }

    /// Whether a trigger is paused once these settings are loaded.
    pub(super) fn is_paused_by_load(&self, key: &TriggerKey, trigger: &Trigger, now: Now) -> bool {
        let record = self.records.triggers.get(key);
        let own = match record.is_some_and(|record| record.paused_in_config) == trigger.paused {
            true => record.is_some_and(|record| record.pause.is_some()),
            false => trigger.paused,
        };
        own || self.shared_pause(key, now).is_some()
    }

    /// Whether all builds of a config are paused once these settings are loaded.
    pub(super) fn is_config_paused_by_load(&self, config: &BuildConfig) -> bool {
        let record = self.records.configs.get(&config.key);
        match record.is_some_and(|record| record.paused_in_config) == config.paused {
            true => record.is_some_and(|record| record.pause.is_some()),
            false => config.paused,
        }
    }

    pub(super) fn trigger_record(&self, key: &TriggerKey) -> TriggerRecord {
        self.records.triggers.get(key).map(|record| (**record).clone()).unwrap_or_default()
    }

    pub(super) fn config_record(&self, key: &ConfigKey) -> ConfigRecord {
        self.records.configs.get(key).map(|record| (**record).clone()).unwrap_or_default()
    }

    /// The record of a config as it will be once `t` is stored: more than one part of a decision may change it.
    pub(super) fn config_record_in(&self, t: &Transition, key: &ConfigKey) -> ConfigRecord {
        let in_t = t.records.iter().rev().find_map(|record| match record {
            Record::Config(of, value) => (of == key).then(|| value.as_deref().cloned().unwrap_or_default()),
            Record::Tag(..) | Record::Trigger(..) | Record::Build(..) | Record::Registry(..) => None,
        });
        in_t.unwrap_or_else(|| self.config_record(key))
    }
}

impl TriggerRecord {
    /// The record of a trigger that need not fire for `identity` any more. Nothing waits then, but a pause holds on.
    pub(super) fn settled(&self, identity: Option<Identity>) -> Self {
        Self {
            stored: identity,
            pause: self.pause.clone(),
            paused_in_config: self.paused_in_config,
            ..Self::default()
        }
    }

    /// The record of a trigger that the configuration no longer has: what it says if it has it again is a new word, be
    /// it the same. A person's word holds on.
    pub(super) fn without_word_of_config(&self) -> Self {
        let pause = self.pause.clone().filter(|pause| pause.is_of_person());
        Self { pause, paused_in_config: false, ..self.clone() }
    }
}

impl ConfigRecord {
    /// The same for the record of a build config.
    pub(super) fn without_word_of_config(&self) -> Self {
        let pause = self.pause.clone().filter(|pause| pause.is_of_person());
        Self { pause, paused_in_config: false, ..self.clone() }
    }
}

impl Pause {
    /// How long a reason may be, in bytes as they are stored: it is in the record of every trigger that it is given for.
    pub const LONGEST_REASON: usize = 200;

    fn is_of_person(&self) -> bool {
        match self.by {
            PausedBy::Command => true,
            PausedBy::Config => false,
        }
    }
}

impl PausedBy {
    /// As the log and the command line print it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Config => "config",
        }
    }
}

impl ResumedBy {
    /// As the log prints it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Config => "config",
            Self::Until => "until",
        }
    }
}

impl Ends {
    /// Takes in a record that takes the place of another.
    pub(super) fn replace(&mut self, old: &Record, new: Option<(Timestamp, Paused)>) {
        if let Some(end) = Self::of(old) {
            self.0.remove(&end);
        }
        self.0.extend(new);
    }

    /// Of everything that is stored.
    pub(super) fn of_all(records: &Records) -> Self {
        let triggers = records
            .triggers
            .iter()
            .filter_map(|(key, record)| Some((record.pause.as_ref()?.until?, Paused::Trigger(key.clone()))));
        let configs = records
            .configs
            .iter()
            .filter_map(|(key, record)| Some((record.pause.as_ref()?.until?, Paused::Config(key.clone()))));
        Self(triggers.chain(configs).collect())
    }

    /// When the pause in a record ends by itself.
    pub(super) fn of(record: &Record) -> Option<(Timestamp, Paused)> {
        match record {
            Record::Trigger(key, record) => {
                Some((record.as_ref()?.pause.as_ref()?.until?, Paused::Trigger(key.clone())))
            }
            Record::Config(key, record) => {
                Some((record.as_ref()?.pause.as_ref()?.until?, Paused::Config(key.clone())))
            }
            Record::Tag(..) | Record::Build(..) | Record::Registry(..) => None,
        }
    }

    /// When the next one ends.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.0.first().map(|(at, _)| *at)
    }

    fn due(&self, now: Timestamp) -> impl Iterator<Item = &Paused> {
        self.0.iter().take_while(move |(at, _)| *at <= now).map(|(_, paused)| paused)
    }
}

/// What is paused of `whose` now that the configuration says otherwise than before, and the line that tells of it.
fn word(
    old: Option<&Pause>,
    paused_now: bool,
    whose: (&ConfigKey, Option<&TagRef>),
    now: Now,
    t: &mut Transition,
) -> Option<Box<Pause>> {
    let (config, tag) = whose;
    let since = old.map_or(now.wall, |old| old.since);
    let pause = Pause { since, by: PausedBy::Config, reason: None, until: None };
    match (old, paused_now) {
        (_, true) => t.notes.push(paused(config, tag, &pause)),
        (Some(_), false) => t.notes.push(resumed(config, tag, ResumedBy::Config)),
        (None, false) => {}
    }
    paused_now.then(|| Box::new(pause))
}

fn paused(config: &ConfigKey, tag: Option<&TagRef>, pause: &Pause) -> Note {
    Note::TriggerPaused {
        config: config.clone(),
        tag: tag.cloned(),
        by: pause.by,
        reason: pause.reason.clone(),
        until: pause.until,
    }
}

fn resumed(config: &ConfigKey, tag: Option<&TagRef>, by: ResumedBy) -> Note {
    Note::TriggerResumed { config: config.clone(), tag: tag.cloned(), by }
}
