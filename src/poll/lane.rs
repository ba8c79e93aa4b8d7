//! One host: the rounds that are going on, those that wait for a connection, and what holds them. Pure: time comes in.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use super::schedule::Round;

/// One host: a round holds one of its connections until its last tag is polled.
#[derive(Debug)]
pub(super) struct Lane {
    connections: usize,
    pub(super) going: Vec<Going>,
    pub(super) waiting: VecDeque<Round>,
    pub(super) held: Option<Held>,
    /// Tags whose poll failed because of the host. They are asked for again when it is released, or as its probe if
    /// nothing else waits: another tag says more about the host than the one that failed.
    pub(super) later: VecDeque<usize>,
}

/// Why a host begins nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) until: Duration,
    /// The round that was begun as a probe.
    pub(super) prober: Option<u64>,
}

/// A round that has begun.
#[derive(Debug)]
pub(super) struct Going {
    /// What its polls know it by, even if another plan moves everything meanwhile.
    pub(super) name: u64,
    /// What comes after the tag that is being polled.
    pub(super) round: Round,
    pub(super) tag: usize,
}

/// One tag to poll now, by positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) host: usize,
    pub(super) tag: usize,
    pub(super) round: u64,
}

impl Lane {
    /// Nothing is going on yet.
    pub(super) fn new(connections: usize) -> Self {
        Self {
            connections: connections.max(1),
            going: Vec::new(),
            waiting: VecDeque::new(),
            held: None,
            later: VecDeque::new(),
        }
    }

    /// Begins the round that waited longest, if one may begin now.
    pub(super) fn begin(&mut self, name: u64, host: usize, now: Duration) -> Option<Step> {
        let may_begin = match self.held {
            // What was in flight when the host was closed left it a connection: that of the poll that failed.
            Some(held) => held.until <= now && held.prober.is_none(),
            None => self.going.len() < self.connections,
        };
        if !may_begin {
            return None;
        }
        let mut round = match self.waiting.pop_front() {
            Some(round) => round,
            None if self.held.is_some() => {
                let tag = self.later.pop_front()?;
                Round::asked(host, tag..tag + 1)
            }
            None => return None,
        };
        let tag = round.tags.next()?;
        if let Some(held) = &mut self.held {
            held.prober = Some(name);
        }
        let going = Going { name, round, tag };
        let step = going.step(host);
        self.going.push(going);
        Some(step)
    }

    /// When a probe is due that nobody is.
    pub(super) fn next_probe(&self) -> Option<Duration> {
        let held = self.held.filter(|held| held.prober.is_none())?;
        (!self.waiting.is_empty() || !self.later.is_empty()).then_some(held.until)
    }

    /// All rounds, those that are going on first.
    pub(super) fn rounds(&self) -> impl Iterator<Item = &Round> {
        self.going.iter().map(|going| &going.round).chain(&self.waiting)
    }

    /// The tags that are due and not yet in flight.
    pub(super) fn waiting_tags(&self) -> impl Iterator<Item = Range<usize>> {
        self.rounds().map(|round| round.tags.clone())
    }
}

impl Going {
    /// The poll that is in flight.
    pub(super) fn step(&self, host: usize) -> Step {
        Step { host, tag: self.tag, round: self.name }
    }

    /// The next poll, if there is one.
    pub(super) fn next(&mut self, host: usize) -> Option<Step> {
        self.tag = self.round.tags.next()?;
        Some(self.step(host))
    }
}
