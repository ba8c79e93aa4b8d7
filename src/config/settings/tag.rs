//! The tags that are polled, each once, and how often: the shortest of its intervals wins.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::super::WatchedTag;
use super::super::problem::{Place, Problem, Problems};
use super::super::section::At;
use super::super::value::spell;
use super::host::is_local;
use super::registry::Configured;
use crate::controller::StreamTag;
use crate::image::TagRef;

/// OpenShift's own (F4).
const DEFAULT: Duration = Duration::from_mins(15);
/// Shorter ones are for hosts of one's own.
const POLITE: Duration = Duration::from_mins(1);

/// How somebody wants a tag to be looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    /// Its own interval, or its template's. It competes with the registry's.
    pub(super) interval: Option<&'a At<Duration>>,
    /// It holds only where neither is written, so that a registry can also be asked less often than the others.
    pub(super) default: Option<&'a At<Duration>>,
    /// To look until that succeeds once is enough.
    pub(super) once: bool,
    /// It says that plain http will do for the host.
    pub(super) insecure: Option<&'a Place>,
    /// Where the tag is named.
    pub(super) place: &'a Place,
}

/// All tags that somebody wants to know.
pub(super) struct Tags<'a> {
    hosts: &'a BTreeMap<String, Configured<'a>>,
    polled: BTreeMap<TagRef, Polled<'a>>,
    /// Those that are taken as they are written, with a place that says so.
    unasked: BTreeMap<TagRef, &'a Place>,
    insecure: BTreeMap<String, &'a Place>,
    /// One interval may hold for thousands of tags.
    told: HashSet<&'a Place>,
}

struct Polled<'a> {
    interval: Duration,
    once: bool,
    place: &'a Place,
}

impl<'a> Tags<'a> {
    pub(super) fn new(hosts: &'a BTreeMap<String, Configured<'a>>) -> Self {
        Self {
            hosts,
            polled: BTreeMap::new(),
            unasked: BTreeMap::new(),
            insecure: BTreeMap::new(),
            told: HashSet::new(),
        }
    }

    /// Takes in what one user of a tag wants of it.
    pub(super) fn add(&mut self, from: &StreamTag, wish: Wish<'a>, problems: &mut Problems) {
        let tag = &from.tag;
        if from.unasked {
            self.unasked.entry(tag.clone()).or_insert(wish.place);
            return;
        }
        let host = self.hosts.get(tag.host()).and_then(|configured| configured.interval);
        let wanted = shorter(wish.interval, host).or(wish.default);
        let once = wish.once || tag.is_pinned();
        if let Some(interval) = wanted.filter(|_| !once) {
            self.warn_if_short(interval, tag.host(), problems);
        }
        if let Some(place) = wish.insecure {
            self.insecure.entry(tag.host().to_owned()).or_insert(place);
        }
        let interval = wanted.map_or(DEFAULT, |interval| interval.value);
        let first = || Polled { interval, once, place: wish.place };
        let polled = self.polled.entry(tag.clone()).or_insert_with(first);
        polled.interval = interval.min(polled.interval);
        polled.once &= once;
    }

    /// What is polled, and the hosts that may be asked over plain http because somebody who names them says so.
    pub(super) fn finish(self, problems: &mut Problems) -> (Vec<WatchedTag>, BTreeMap<String, Place>) {
        for (tag, place) in &self.unasked {
            // A tag cannot be asked for and be taken as it is written.
            if let Some(Polled { place: other, .. }) = self.polled.get(tag) {
                let message = format!("takes {tag} as it is written, and {other} follows what it points to");
                problems.push(Problem::error(place, message, "let both say the same of `reference`"));
            }
        }
        let watched = |(tag, polled): (TagRef, Polled<'_>)| WatchedTag {
            tag,
            interval: polled.interval,
            once: polled.once,
        };
        let insecure = self.insecure.into_iter().map(|(host, place)| (host, place.clone()));
        (self.polled.into_iter().map(watched).collect(), insecure.collect())
    }

    fn warn_if_short(&mut self, interval: &'a At<Duration>, host: &str, problems: &mut Problems) {
        if interval.value < POLITE && !is_local(host) && self.told.insert(&interval.place) {
            let message = format!("is short for {host}, which may count requests and shut you out");
            let problem = Problem::warning(&interval.place, message, "write \"1m\" or more");
            problems.push(problem.with_value(format!("\"{}\"", spell(interval.value))));
        }
    }
}

fn shorter<'a>(one: Option<&'a At<Duration>>, other: Option<&'a At<Duration>>) -> Option<&'a At<Duration>> {
    one.into_iter().chain(other).min_by_key(|interval| interval.value)
}
