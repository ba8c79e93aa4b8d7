//! Who said what of pausing, remembered by somebody who knows D20 and nothing of the controller.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::controller::*;

/// The last word about everything.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// What the configuration said when it was last loaded with the trigger in it, and when.
    loaded: BTreeMap<TriggerKey, bool>,
    /// Until when; `None` for ever. What is not here is not paused.
    triggers: BTreeMap<TriggerKey, Option<Timestamp>>,
    /// Those of them of which the configuration has the last word.
    configured: BTreeSet<TriggerKey>,
    configs: BTreeMap<ConfigKey, Option<Timestamp>>,
    /// The same of all builds of a config.
    loaded_configs: BTreeMap<ConfigKey, bool>,
    configured_configs: BTreeSet<ConfigKey>,
}

impl Words {
    pub(super) fn load(&mut self, settings: &Settings, now: Now) {
        // What ended while nobody was there is over before a new word is said, and after.
        self.end(now);
        self.load_configs(settings);
        // What the configuration says no more is as if it had never said it.
        let has = |key: &TriggerKey| {
            let mut configs = settings.build_configs.iter();
            configs.any(|config| config.key == key.config && config.trigger(&key.tag).is_some())
        };
        let joined: BTreeMap<ConfigKey, Option<Timestamp>> = settings
            .build_configs
            .iter()
            .filter_map(|config| Some((config.key.clone(), self.said_of_all(&config.key)?)))
            .collect();
        let before: BTreeSet<TriggerKey> = self.loaded.keys().cloned().collect();
        self.loaded.retain(|key, _| has(key));
        self.triggers.retain(|key, _| has(key) || !self.configured.contains(key));
        for config in &settings.build_configs {
            for trigger in &config.triggers {
                let key = TriggerKey { config: config.key.clone(), tag: trigger.from.tag.clone() };
                let is_new = !before.contains(&key);
                let before = self.loaded.insert(key.clone(), trigger.paused).unwrap_or(false);
                match (before, trigger.paused) {
                    (false, true) => {
                        self.configured.insert(key.clone());
                        self.triggers.insert(key, None);
                    }
                    (true, false) => drop(self.triggers.remove(&key)),
                    (false, false) if is_new && !self.triggers.contains_key(&key) => {
                        if let Some(until) = joined.get(&config.key) {
                            self.configured.remove(&key);
                            self.triggers.insert(key, *until);
                        }
                    }
                    (true, true) | (false, false) => {}
                }
            }
        }
    }

    fn load_configs(&mut self, settings: &Settings) {
        let has = |key: &ConfigKey| settings.build_configs.iter().any(|config| config.key == *key);
        self.loaded_configs.retain(|key, _| has(key));
        self.configs.retain(|key, _| has(key) || !self.configured_configs.contains(key));
        for config in &settings.build_configs {
            let before = self.loaded_configs.insert(config.key.clone(), config.paused).unwrap_or(false);
            match (before, config.paused) {
                (false, true) => {
                    self.configured_configs.insert(config.key.clone());
                    self.configs.insert(config.key.clone(), None);
                }
                (true, false) => drop(self.configs.remove(&config.key)),
                (true, true) | (false, false) => {}
            }
        }
    }

    /// Until when a person paused every trigger of a config, if they did.
    fn said_of_all(&self, config: &ConfigKey) -> Option<Option<Timestamp>> {
        let all = self.loaded.keys().filter(|key| key.config == *config);
        let said =
            |key: &TriggerKey| self.triggers.get(key).copied().filter(|_| !self.configured.contains(key));
        let ends = all.map(said).collect::<Option<Vec<Option<Timestamp>>>>()?;
        ends.into_iter().max_by_key(|end| (end.is_none(), *end))
    }

    pub(super) fn pause(&mut self, what: &Pausable, until: Option<Timestamp>) {
        // What has no end gets none.
        let end = |old: Option<&Option<Timestamp>>| until.filter(|_| old != Some(&None));
        for key in &what.triggers {
            self.configured.remove(key);
            self.triggers.insert(key.clone(), end(self.triggers.get(key)));
        }
        for key in &what.configs {
            self.configured_configs.remove(key);
            self.configs.insert(key.clone(), end(self.configs.get(key)));
        }
    }

    pub(super) fn resume(&mut self, what: &Pausable) {
        self.triggers.retain(|key, _| !what.triggers.contains(key));
        self.configs.retain(|key, _| !what.configs.contains(key));
    }

    fn end(&mut self, now: Now) {
        let goes_on = |until: &Option<Timestamp>| until.is_none_or(|until| until > now.wall);
        self.triggers.retain(|_, until| goes_on(until));
        self.configs.retain(|_, until| goes_on(until));
    }

    /// The controller remembers the same, whatever ended meanwhile.
    pub(super) fn check(&mut self, controller: &Controller, now: Now) {
        self.end(now);
        let records = controller.records();
        let triggers = records.triggers.iter().filter_map(|(key, record)| {
            let pause = record.pause.as_ref()?;
            Some((key.clone(), pause.until))
        });
        assert_eq!(triggers.collect::<BTreeMap<_, _>>(), self.triggers);
        let configs = records.configs.iter();
        let configs = configs.filter_map(|(key, record)| Some((key.clone(), record.pause.as_ref()?.until)));
        assert_eq!(configs.collect::<BTreeMap<_, _>>(), self.configs);
    }
}
