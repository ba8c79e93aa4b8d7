//! Who is being asked: the rounds that are going on, and those that wait for their host. Pure: time comes in.
//!
//! A host that is held begins nothing until it is time for a probe, and then one poll at a time until it is released.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use super::cohort;
use super::lane::{Held, Lane, Step};
use super::schedule::{Round, Schedule};

/// The schedule, and what came of it so far.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) schedule: Schedule,
    pub(super) hosts: Vec<Lane>,
    /// The hosts that may have a round to begin.
    ready: VecDeque<usize>,
    /// What the next round is called.
    pub(super) next_round: u64,
}

impl Progress {
    /// Nothing is going on yet; `connections` has the limit of each host.
    pub(super) fn new(schedule: Schedule, connections: impl Iterator<Item = usize>) -> Self {
        Self { schedule, hosts: connections.map(Lane::new).collect(), ready: VecDeque::new(), next_round: 0 }
    }

    /// When something is due that was not due before.
    pub(super) fn next_due(&self) -> Option<Duration> {
        let probe = self.hosts.iter().filter_map(Lane::next_probe).min();
        self.schedule.next_due().into_iter().chain(probe).min()
    }

    /// Whether a host may have a round to begin although no time has passed.
    pub(super) fn may_begin(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Begins a round that is due by `now`, on a host with a free connection. A busy host keeps its rounds waiting,
    /// and nobody else's (invariant 3).
    pub(super) fn begin(&mut self, now: Duration) -> Option<Step> {
        let probes = self.hosts.iter().enumerate();
        let probes = probes.filter(|(_, host)| host.next_probe().is_some_and(|due| due <= now));
        self.ready.extend(probes.map(|(position, _)| position));
        loop {
            while let Some(&host) = self.ready.front() {
                if let Some(step) = self.begin_on(host, now) {
                    return Some(step);
                }
                self.ready.pop_front();
            }
            let round = self.schedule.take_due(now)?;
            self.wait(round);
        }
    }

    /// These tags of a host, in order, are due now, and once: what waits already is not asked for twice.
    pub(super) fn ask(&mut self, host: usize, tags: &[usize]) {
        let Some(progress) = self.hosts.get(host) else { return };
        let due: Vec<Range<usize>> = progress.waiting_tags().collect();
        let mut new = tags.iter().copied().filter(|tag| !due.iter().any(|due| due.contains(tag))).peekable();
        while let Some(first) = new.next() {
            let mut end = first + 1;
            while end - first < cohort::SIZE && new.next_if_eq(&end).is_some() {
                end += 1;
            }
            self.wait(Round::asked(host, first..end));
        }
    }

    /// After the poll of `step`: the next tag of the round, or of the round that waited longest for the connection.
    pub(super) fn advance(&mut self, step: &Step, now: Duration) -> Option<Step> {
        let host = self.hosts.get_mut(step.host)?;
        let position = host.going.iter().position(|going| going.name == step.round)?;
        if let Some(held) = &mut host.held {
            held.prober = held.prober.filter(|prober| *prober != step.round);
            let round = host.going.swap_remove(position).round;
            match round.tags.is_empty() {
                true => self.schedule.finish(&round, now),
                false => host.waiting.push_front(round),
            }
            return self.begin_on(step.host, now);
        }
        if let Some(next) = host.going.get_mut(position).and_then(|going| going.next(step.host)) {
            return Some(next);
        }
        self.schedule.finish(&host.going.swap_remove(position).round, now);
        self.begin_on(step.host, now)
    }

    /// A host begins nothing before `until`, and then only a probe.
    pub(super) fn hold(&mut self, host: usize, until: Duration) {
        if let Some(progress) = self.hosts.get_mut(host) {
            let prober = progress.held.and_then(|held| held.prober);
            progress.held = Some(Held { until, prober });
        }
    }

    /// Whether a host is held.
    pub(super) fn is_held(&self, host: usize) -> bool {
        self.hosts.get(host).is_some_and(|host| host.held.is_some())
    }

    /// A host that was held goes on with all that waits, and with what failed because of it. The slots that passed
    /// meanwhile are made up for by the rounds that waited: nobody is asked twice for them.
    pub(super) fn release(&mut self, host: usize, now: Duration) {
        let Some(progress) = self.hosts.get_mut(host) else { return };
        let going = progress.going.iter_mut().map(|going| &mut going.round);
        going.chain(&mut progress.waiting).for_each(|round| self.schedule.catch_up(round, now));
        let mut later: Vec<usize> = progress.later.drain(..).collect();
        later.sort_unstable();
        self.let_go(host);
        self.ask(host, &later);
    }

    /// A host is not held any more, whatever becomes of that.
    pub(super) fn let_go(&mut self, host: usize) {
        if let Some(progress) = self.hosts.get_mut(host) {
            progress.held = None;
            self.ready.push_back(host);
        }
    }

    /// The tag of `step` is asked for again when its host is released.
    pub(super) fn ask_later(&mut self, step: &Step) {
        let progress = self.hosts.get_mut(step.host);
        if let Some(progress) = progress.filter(|progress| !progress.later.contains(&step.tag)) {
            progress.later.push_back(step.tag);
        }
    }

    /// The tag of `step` was asked for, and what came of it is its own.
    pub(super) fn ask_no_more(&mut self, step: &Step) {
        if let Some(progress) = self.hosts.get_mut(step.host) {
            progress.later.retain(|tag| *tag != step.tag);
        }
    }

    /// Whether it is a slot of its cohort that brought a step about, and nobody who asked.
    pub(super) fn is_scheduled(&self, step: &Step) -> bool {
        let going = self.hosts.get(step.host).into_iter().flat_map(|host| &host.going);
        going.filter(|going| going.name == step.round).any(|going| going.round.cohort.is_some())
    }

    /// Where the poll of a round that is going on stands now: another plan may have moved it. `None` if its tag is gone.
    pub(super) fn current(&self, round: u64) -> Option<Step> {
        self.going().find(|step| step.round == round)
    }

    /// All polls in flight.
    pub(super) fn going(&self) -> impl Iterator<Item = Step> {
        let hosts = self.hosts.iter().enumerate();
        hosts.flat_map(|(host, progress)| progress.going.iter().map(move |going| going.step(host)))
    }

    /// How many polls of a host are in flight.
    pub(super) fn in_flight(&self, host: usize) -> usize {
        self.hosts.get(host).map_or(0, |host| host.going.len())
    }

    /// A round is due.
    pub(super) fn wait(&mut self, round: Round) {
        let host = round.host;
        if let Some(progress) = self.hosts.get_mut(host) {
            progress.waiting.push_back(round);
            self.ready.push_back(host);
        }
    }

    fn begin_on(&mut self, host: usize, now: Duration) -> Option<Step> {
        let going = self.hosts.get_mut(host)?.begin(self.next_round, host, now)?;
        self.next_round += 1;
        Some(going)
    }
}
