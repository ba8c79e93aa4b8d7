//! `[[build_config]]` as typed. As all that is typed it has no defaults yet.

mod strategy;
mod trigger;

use std::path::PathBuf;

use super::file::{Keys, Retry, SOME_TIME};
use super::grammar::{labels, name, on_first, on_interrupt, relative, run_policy, supersede};
use super::object_ref::ObjectRef;
use super::problem::Place;
use super::section::{At, Section, Typed};
use super::value::{count, duration, flag, list, path, word};
use super::venue::VenueKeys;

pub(super) use strategy::Strategy;
pub(super) use trigger::{Trigger, TriggerKind};

/// One `[[build_config]]`.
pub(super) struct BuildConfig {
    pub(super) place: Place,
    pub(super) name: Typed<String>,
    pub(super) namespace: Typed<String>,
    pub(super) paused: Typed<bool>,
    pub(super) successful: Typed<usize>,
    pub(super) failed: Typed<usize>,
    pub(super) last_version: Typed<u64>,
    pub(super) source: Typed<Source>,
    pub(super) output: Typed<Output>,
    pub(super) strategy: Typed<Strategy>,
    pub(super) triggers: Vec<Trigger>,
    /// What it shares with watches, `run` for the strategy's command; those that are a tag's or a watch's alone are absent.
    pub(super) keys: Keys,
}

/// `source`: where the source code is.
pub(super) struct Source {
    pub(super) git: Typed<Git>,
    pub(super) directory: Typed<PathBuf>,
    pub(super) context_dir: Typed<String>,
    pub(super) images: Vec<ImageSource>,
}

/// `[[source.images]]`: an image that a build uses besides the one it is made from.
pub(super) struct ImageSource {
    pub(super) place: Place,
    pub(super) from: Typed<ObjectRef>,
    pub(super) aliases: Typed<Vec<At<String>>>,
    pub(super) paths: Vec<ImagePath>,
}

/// `paths` of it: a file or directory, and where it goes.
pub(super) struct ImagePath {
    pub(super) place: Place,
    pub(super) source_path: Typed<String>,
    pub(super) destination_dir: Typed<String>,
}

/// `source.git`.
pub(super) struct Git {
    pub(super) place: Place,
    pub(super) uri: Typed<String>,
    pub(super) reference: Typed<String>,
}

/// `output`: where the built image goes.
pub(super) struct Output {
    pub(super) to: Typed<String>,
    pub(super) push: Typed<bool>,
}

/// How many ended builds may be kept.
const HISTORY: std::ops::RangeInclusive<usize> = 0..=100_000;

impl BuildConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let mut keys = Keys {
            run: Typed::Absent,
            labels: section.key("labels", labels),
            on_first: section.key("on_first", on_first),
            paused: Typed::Absent,
            run_policy: section.key("run_policy", run_policy),
            supersede: section.key("supersede", supersede),
            timeout: section.key("timeout", duration(SOME_TIME)),
            env: Typed::Absent,
            working_dir: Typed::Absent,
            retry: section.table("retry", Retry::read),
            on_interrupt: section.key("on_interrupt", on_interrupt),
            interval: Typed::Absent,
            platforms: Typed::Absent,
            webhook: Typed::Absent,
            venue: VenueKeys::read(section),
        };
        Self {
            place: section.place(),
            name: section.key("name", name),
            namespace: section.key("namespace", name),
            paused: section.key("paused", flag),
            successful: section.key("successful_builds_history_limit", count(HISTORY)),
            failed: section.key("failed_builds_history_limit", count(HISTORY)),
            last_version: section.key("last_version", count(0..=u64::from(u32::MAX))),
            source: section.optional("source", Source::read),
            output: section.optional("output", Output::read),
            strategy: section.optional("strategy", |section| Strategy::read(section, &mut keys)),
            triggers: section.tables("trigger", Trigger::read),
            keys,
        }
    }
}

impl Source {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            git: section.optional("git", Git::read),
            directory: section.key("directory", path),
            context_dir: section.key("context_dir", relative),
            images: section.tables("images", ImageSource::read),
        }
    }
}

impl ImageSource {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            place: section.place(),
            from: section.optional("from", ObjectRef::read),
            aliases: section.key("as", list(word)),
            paths: section.tables("paths", ImagePath::read),
        }
    }
}

impl ImagePath {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            place: section.place(),
            source_path: section.key("source_path", word),
            destination_dir: section.key("destination_dir", relative),
        }
    }
}

impl Git {
    fn read(section: &mut Section<'_>) -> Self {
        Self { place: section.place(), uri: section.key("uri", word), reference: section.key("ref", word) }
    }
}

impl Output {
    fn read(section: &mut Section<'_>) -> Self {
        Self { to: section.key("to", word), push: section.key("push", flag) }
    }
}
