//! `[[build_config]]` as typed. As all that is typed it has no defaults yet.

mod strategy;
mod trigger;

use super::file::{Keys, Retry, SOME_TIME};
use super::grammar::{labels, name, on_first, on_interrupt, run_policy, supersede};
use super::problem::Place;
use super::section::{Section, Typed};
use super::value::{count, duration, flag, word};

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
    pub(super) context_dir: Typed<String>,
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
        Self { git: section.optional("git", Git::read), context_dir: section.key("context_dir", word) }
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
