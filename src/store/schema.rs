//! How records stand in sled: trees, keys, and values with a version and a checksum in front.

use std::str;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::controller::{BuildKey, ConfigKey, Record, TriggerKey};

/// What this release writes, and the newest it can read.
pub(super) const FORMAT: u32 = 1;

/// The version byte of a value: how it is laid out, whatever it says.
const VALUE_VERSION: u8 = 1;

/// The kinds of records, each in a tree of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `host/repository:tag`
    Tags,
    /// `namespace/name`, NUL, `host/repository:tag`
    Triggers,
    /// `namespace/name`
    Configs,
    /// `namespace/name`, NUL, the number as 8 bytes, highest first, so that builds are in order
    Builds,
    /// `host`
    Registries,
}

impl Kind {
    pub(super) const ALL: [Self; 5] =
        [Self::Tags, Self::Triggers, Self::Configs, Self::Builds, Self::Registries];

    /// The tree's name in sled.
    pub(super) fn tree(self) -> &'static str {
        match self {
            Self::Tags => "tags",
            Self::Triggers => "triggers",
            Self::Configs => "configs",
            Self::Builds => "builds",
            Self::Registries => "registries",
        }
    }
}

/// A record as sled has it; without a value it is to be deleted.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) kind: Kind,
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
}

/// Lays a record out.
///
/// # Errors
/// If it cannot be written as JSON.
pub(super) fn encode(record: &Record) -> serde_json::Result<Row> {
    Ok(match record {
        Record::Tag(tag, value) => {
            Row { kind: Kind::Tags, key: tag.as_str().into(), value: pack(value.as_ref())? }
        }
        Record::Trigger(key, value) => {
            let parts = [key.config.as_str().as_bytes(), b"\0", key.tag.as_str().as_bytes()];
            Row { kind: Kind::Triggers, key: parts.concat(), value: pack(value.as_ref())? }
        }
        Record::Config(key, value) => {
            Row { kind: Kind::Configs, key: key.as_str().into(), value: pack(value.as_ref())? }
        }
        Record::Build(key, value) => {
            let parts = [key.config.as_str().as_bytes(), b"\0", &key.number.to_be_bytes()];
            Row { kind: Kind::Builds, key: parts.concat(), value: pack(value.as_ref())? }
        }
        Record::Registry(host, value) => {
            Row { kind: Kind::Registries, key: host.as_bytes().into(), value: pack(value.as_ref())? }
        }
    })
}

/// Reads a row back. `None` if it is not what [`encode`] made: damage.
pub(super) fn decode(kind: Kind, key: &[u8], value: &[u8]) -> Option<Record> {
    Some(match kind {
        Kind::Tags => Record::Tag(from_text(key)?, Some(unpack(value)?)),
        Kind::Triggers => {
            let (config, tag) = split_nul(key)?;
            let key = TriggerKey { config: str::from_utf8(config).ok()?.parse().ok()?, tag: from_text(tag)? };
            Record::Trigger(key, Some(unpack(value)?))
        }
        Kind::Configs => Record::Config(config_key(key)?, Some(unpack(value)?)),
        Kind::Builds => {
            let (config, number) = split_nul(key)?;
            let number = u64::from_be_bytes(number.try_into().ok()?);
            Record::Build(BuildKey { config: config_key(config)?, number }, Some(unpack(value)?))
        }
        Kind::Registries => Record::Registry(str::from_utf8(key).ok()?.into(), Some(unpack(value)?)),
    })
}

fn config_key(bytes: &[u8]) -> Option<ConfigKey> {
    str::from_utf8(bytes).ok()?.parse().ok()
}

/// A key that has a text form of its own, by way of serde, which checks it without running the grammar.
fn from_text<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let text = str::from_utf8(bytes).ok()?;
    let text = serde::de::value::BorrowedStrDeserializer::<serde::de::value::Error>::new(text);
    T::deserialize(text).ok()
}

fn split_nul(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let nul = key.iter().position(|byte| *byte == 0)?;
    let (before, rest) = key.split_at_checked(nul)?;
    Some((before, rest.get(1..)?))
}

fn pack<T: Serialize>(value: Option<&T>) -> serde_json::Result<Option<Vec<u8>>> {
    let Some(value) = value else { return Ok(None) };
    let json = serde_json::to_vec(value)?;
    let mut packed = Vec::with_capacity(5 + json.len());
    packed.push(VALUE_VERSION);
    packed.extend_from_slice(&crc32fast::hash(&json).to_le_bytes());
    packed.extend_from_slice(&json);
    Ok(Some(packed))
}

fn unpack<T: DeserializeOwned>(packed: &[u8]) -> Option<T> {
    let (version, rest) = packed.split_first()?;
    let (checksum, json) = rest.split_first_chunk::<4>()?;
    let whole = *version == VALUE_VERSION && crc32fast::hash(json) == u32::from_le_bytes(*checksum);
    whole.then(|| serde_json::from_slice(json).ok()).flatten()
}
