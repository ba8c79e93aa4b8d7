//! How often each tag is polled: the shortest of its intervals wins.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::super::WatchedTag;
use super::super::expand::Expanded;
use super::super::problem::{Place, Problem, Problems};
use super::super::section::At;
use super::super::value::spell;
use super::host::is_local;
use super::registry::Configured;
use crate::controller::Trigger;
use crate::image::TagRef;

/// OpenShift's own (F4).
const DEFAULT: Duration = Duration::from_mins(15);
/// Shorter ones are for hosts of one's own.
const POLITE: Duration = Duration::from_mins(1);

/// The intervals of all tags.
pub(super) struct Intervals<'a> {
    hosts: &'a BTreeMap<String, Configured<'a>>,
    shortest: BTreeMap<TagRef, Duration>,
    /// One interval may hold for thousands of tags.
    told: HashSet<&'a Place>,
}

impl<'a> Intervals<'a> {
    pub(super) fn new(hosts: &'a BTreeMap<String, Configured<'a>>) -> Self {
        Self { hosts, shortest: BTreeMap::new(), told: HashSet::new() }
    }

    /// Takes in what one watch wants for its tags.
    ///
    /// Its own interval, or its template's, competes with the registry's. The defaults hold only where neither is
    /// written, so that a registry can also be asked less often than the others.
    pub(super) fn add(&mut self, watch: &Expanded<'a>, triggers: &[Trigger], problems: &mut Problems) {
        let own = watch.keys.own(|keys| &keys.interval);
        let default = watch.keys.get(|keys| &keys.interval);
        for tag in triggers.iter().map(|trigger| &trigger.from.tag) {
            let host = self.hosts.get(tag.host()).and_then(|configured| configured.interval);
            let wanted = shorter(own, host).or(default);
            if let Some(interval) = wanted {
                self.warn_if_short(interval, tag.host(), problems);
            }
            let wanted = wanted.map_or(DEFAULT, |interval| interval.value);
            let shortest = self.shortest.entry(tag.clone()).or_insert(wanted);
            *shortest = wanted.min(*shortest);
        }
    }

    pub(super) fn into_tags(self) -> Vec<WatchedTag> {
        self.shortest.into_iter().map(|(tag, interval)| WatchedTag { tag, interval, once: false }).collect()
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
