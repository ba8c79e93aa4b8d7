//! Who is being asked: the rounds that are going on, and those that wait for their host. Pure: time comes in.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use super::schedule::{Round, Schedule};

/// The schedule, and what came of it so far.
#[derive(Debug)]
pub(super) struct Progress {
    schedule: Schedule,
    hosts: Vec<HostProgress>,
}

/// One host: a round holds one of its connections until its last tag is polled.
#[derive(Debug)]
struct HostProgress {
    connections: usize,
    going: Vec<Round>,
    waiting: VecDeque<Round>,
}

/// One tag to poll now, by positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) host: usize,
    pub(super) cohort: usize,
    pub(super) tag: usize,
}

impl Progress {
    /// Nothing is going on yet; `connections` has the limit of each host.
    pub(super) fn new(schedule: Schedule, connections: impl Iterator<Item = usize>) -> Self {
        let hosts = connections.map(|connections| HostProgress {
            connections: connections.max(1),
            going: Vec::new(),
            waiting: VecDeque::new(),
        });
        Self { schedule, hosts: hosts.collect() }
    }

    /// When something is due that was not due before.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.schedule.next_due()
    }

    /// Begins a round that is due by `now`, on a host with a free connection. A busy host keeps its rounds waiting,
    /// and nobody else's (invariant 3).
    pub(super) fn begin(&mut self, now: Duration) -> Option<Step> {
        while let Some(round) = self.schedule.take_due(now) {
            let host = self.hosts.get_mut(round.host)?;
            host.waiting.push_back(round);
            if let Some(step) = host.begin() {
                return Some(step);
            }
        }
        None
    }

    /// After the poll of `step`: the next tag of the round, or of the round that waited longest for the connection.
    pub(super) fn advance(&mut self, step: &Step, now: Duration) -> Option<Step> {
        let host = self.hosts.get_mut(step.host)?;
        let position = host.going.iter().position(|round| round.cohort == step.cohort)?;
        if let Some(next) = host.going.get_mut(position).and_then(Round::step) {
            return Some(next);
        }
        self.schedule.finish(&host.going.swap_remove(position), now);
        host.begin()
    }

    /// How long until the tag of `step`, which is being polled, is due again; `None` if never.
    pub(super) fn next_poll(&self, step: &Step, now: Duration) -> Option<Duration> {
        let mut going = self.hosts.get(step.host)?.going.iter();
        let round = going.find(|round| round.cohort == step.cohort)?;
        self.schedule.due_after(round, now).map(|due| due.saturating_sub(now))
    }

    /// How long until each tag is polled next: zero while it waits for its host. One that is being polled now waits
    /// for its next slot, as one that was polled.
    pub(super) fn next_polls(&self, tags: usize, now: Duration) -> Vec<Option<Duration>> {
        let mut next = vec![None; tags];
        let mut set = |tags: Range<usize>, due: Option<Duration>| {
            let wait = due.map(|due| due.saturating_sub(now));
            next.get_mut(tags).unwrap_or_default().fill(wait);
        };
        for (tags, due) in self.schedule.waiting() {
            set(tags, Some(due));
        }
        for round in self.hosts.iter().flat_map(|host| host.going.iter().chain(&host.waiting)) {
            set(self.schedule.tags_of(round), self.schedule.due_after(round, now));
            set(round.tags.clone(), Some(now));
        }
        next
    }

    /// How many polls of a host are in flight.
    pub(super) fn in_flight(&self, host: usize) -> usize {
        self.hosts.get(host).map_or(0, |host| host.going.len())
    }
}

impl HostProgress {
    fn begin(&mut self) -> Option<Step> {
        if self.going.len() >= self.connections {
            return None;
        }
        let mut round = self.waiting.pop_front()?;
        let step = round.step();
        self.going.push(round);
        step
    }
}

impl Round {
    fn step(&mut self) -> Option<Step> {
        let tag = self.tags.next()?;
        Some(Step { host: self.host, cohort: self.cohort, tag })
    }
}
