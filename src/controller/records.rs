//! Everything that is stored, as it is held in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::key::{BuildKey, ConfigKey, TriggerKey};
use super::record::{Build, ConfigRecord, Record, RegistryRecord, TagRecord, TriggerRecord};
use crate::image::TagRef;

/// All records, by key. The store opens to one of these; the controller keeps it current.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs, reason = "one map per kind of record")]
pub struct Records {
    pub tags: HashMap<TagRef, Box<TagRecord>>,
    pub triggers: HashMap<TriggerKey, Box<TriggerRecord>>,
    pub configs: HashMap<ConfigKey, Box<ConfigRecord>>,
    pub builds: BTreeMap<BuildKey, Box<Build>>,
    pub registries: HashMap<Box<str>, Box<RegistryRecord>>,
}

impl Records {
    /// Stores or deletes one record; answers with what was there, in a form that puts it back.
    pub fn put(&mut self, record: Record) -> Record {
        match record {
            Record::Tag(key, value) => {
                let old = replace(&mut self.tags, &key, value);
                Record::Tag(key, old)
            }
            Record::Trigger(key, value) => {
                let old = replace(&mut self.triggers, &key, value);
                Record::Trigger(key, old)
            }
            Record::Config(key, value) => {
                let old = replace(&mut self.configs, &key, value);
                Record::Config(key, old)
            }
            Record::Build(key, value) => {
                let old = match value {
                    Some(value) => self.builds.insert(key.clone(), value),
                    None => self.builds.remove(&key),
                };
                Record::Build(key, old)
            }
            Record::Registry(key, value) => {
                let old = replace(&mut self.registries, &key, value);
                Record::Registry(key, old)
            }
        }
    }

    /// The builds of one config, by number.
    pub fn builds_of(&self, config: &ConfigKey) -> impl DoubleEndedIterator<Item = (&BuildKey, &Build)> {
        let from = BuildKey { config: config.clone(), number: 0 };
        let to = BuildKey { config: config.clone(), number: u64::MAX };
        self.builds.range(from..=to).map(|(key, build)| (key, &**build))
    }

    /// The hosts that were ever found to be v2 registries (D10). A state from before this was stored tells it by the digests
    /// of the hosts' tags.
    #[must_use]
    pub fn v2_hosts(&self) -> BTreeSet<Box<str>> {
        let stored = self.registries.iter().filter(|(_, registry)| registry.v2_since.is_some());
        let mut hosts: BTreeSet<Box<str>> = stored.map(|(host, _)| host.clone()).collect();
        for (tag, _) in self.tags.iter().filter(|(_, tag)| tag.observed.polled.digest().is_some()) {
            if !hosts.contains(tag.host()) {
                hosts.insert(tag.host().into());
            }
        }
        hosts
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let Self { tags, triggers, configs, builds, registries } = self;
        tags.len() + triggers.len() + configs.len() + builds.len() + registries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every record, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = Record> + '_ {
        let tags = self.tags.iter().map(|(key, value)| Record::Tag(key.clone(), Some(value.clone())));
        let triggers =
            self.triggers.iter().map(|(key, value)| Record::Trigger(key.clone(), Some(value.clone())));
        let configs =
            self.configs.iter().map(|(key, value)| Record::Config(key.clone(), Some(value.clone())));
        let builds = self.builds.iter().map(|(key, value)| Record::Build(key.clone(), Some(value.clone())));
        let registries = self.registries.iter();
        let registries = registries.map(|(key, value)| Record::Registry(key.clone(), Some(value.clone())));
        tags.chain(triggers).chain(configs).chain(builds).chain(registries)
    }
}

fn replace<K: std::hash::Hash + Eq + Clone, V>(
    map: &mut HashMap<K, V>,
    key: &K,
    value: Option<V>,
) -> Option<V> {
    match value {
        Some(value) => map.insert(key.clone(), value),
        None => map.remove(key),
    }
}
