//! Who is being asked: the rounds that are going on, and those that wait for their host. Pure: time comes in.
//!
//! A host that is held begins nothing until it is time for a probe, and then one poll at a time until it is released.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use super::cohort;
use super::schedule::{Round, Schedule};

/// The schedule, and what came of it so far.
#[derive(Debug)]
pub(super) struct Progress {
    schedule: Schedule,
    hosts: Vec<HostProgress>,
    /// The hosts that may have a round to begin.
    ready: VecDeque<usize>,
    /// What the next round is called.
    next_round: u64,
}

/// One host: a round holds one of its connections until its last tag is polled.
#[derive(Debug)]
struct HostProgress {
    connections: usize,
    going: Vec<Going>,
    waiting: VecDeque<Round>,
    held: Option<Held>,
    /// Tags whose poll failed because of the host. They are asked for again when it is released, or as its probe if
    /// nothing else waits: another tag says more about the host than the one that failed.
    later: VecDeque<usize>,
}

/// Why a host begins nothing.
#[derive(Debug, Clone, Copy)]
struct Held {
    until: Duration,
    /// The round that was begun as a probe.
    prober: Option<u64>,
}

/// A round that has begun.
#[derive(Debug)]
struct Going {
    /// What its polls know it by, even if another plan moves everything meanwhile.
    name: u64,
    /// What comes after the tag that is being polled.
    round: Round,
    tag: usize,
}

/// One tag to poll now, by positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) host: usize,
    pub(super) tag: usize,
    pub(super) round: u64,
}

impl Progress {
    /// Nothing is going on yet; `connections` has the limit of each host.
    pub(super) fn new(schedule: Schedule, connections: impl Iterator<Item = usize>) -> Self {
        let hosts = connections.map(|connections| HostProgress {
            connections: connections.max(1),
            going: Vec::new(),
            waiting: VecDeque::new(),
            held: None,
            later: VecDeque::new(),
        });
        Self { schedule, hosts: hosts.collect(), ready: VecDeque::new(), next_round: 0 }
    }

    /// When something is due that was not due before.
    pub(super) fn next_due(&self) -> Option<Duration> {
        let probe = self.hosts.iter().filter_map(HostProgress::next_probe).min();
        self.schedule.next_due().into_iter().chain(probe).min()
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

    /// Where the poll of a round that is going on stands now: another plan may have moved it. `None` if its tag is gone.
    pub(super) fn current(&self, round: u64) -> Option<Step> {
        self.going().find(|step| step.round == round)
    }

    /// All polls in flight.
    pub(super) fn going(&self) -> impl Iterator<Item = Step> {
        let hosts = self.hosts.iter().enumerate();
        hosts.flat_map(|(host, progress)| progress.going.iter().map(move |going| going.step(host)))
    }

    /// How long until the tag of `step`, which is being polled, is due again; `None` if never.
    pub(super) fn next_poll(&self, step: &Step, now: Duration) -> Option<Duration> {
        let mut going = self.hosts.get(step.host)?.going.iter();
        let going = going.find(|going| going.name == step.round)?;
        let due = match going.round.cohort {
            Some(_) => self.schedule.due_after(&going.round, now),
            None => self.due_of(step.tag, now),
        };
        let held = self.hosts.get(step.host).and_then(|host| host.held).map(|held| held.until);
        due.map(|due| due.max(held.unwrap_or_default()).saturating_sub(now))
    }

    /// When the cohort of a tag is due, whether it waits for that or is being polled.
    fn due_of(&self, tag: usize, now: Duration) -> Option<Duration> {
        let waiting = self.schedule.waiting().find(|(tags, _)| tags.contains(&tag)).map(|(_, due)| due);
        let mut rounds = self.hosts.iter().flat_map(HostProgress::rounds);
        let going = || {
            let round = rounds.find(|round| self.schedule.tags_of(round).contains(&tag))?;
            self.schedule.due_after(round, now)
        };
        waiting.or_else(going)
    }

    /// How long until each tag is polled next: zero while it waits for its host, unless that is held. One that is being
    /// polled now waits for its next slot, as one that was polled.
    pub(super) fn next_polls(
        &self,
        tags: usize,
        tags_of_hosts: impl Iterator<Item = Range<usize>>,
        now: Duration,
    ) -> Vec<Option<Duration>> {
        let mut next = vec![None; tags];
        let mut set = |tags: Range<usize>, due: Option<Duration>| {
            let wait = due.map(|due| due.saturating_sub(now));
            next.get_mut(tags).unwrap_or_default().fill(wait);
        };
        for (tags, due) in self.schedule.waiting() {
            set(tags, Some(due));
        }
        for round in self.hosts.iter().flat_map(HostProgress::rounds) {
            set(self.schedule.tags_of(round), self.schedule.due_after(round, now));
        }
        for tags in self.hosts.iter().flat_map(HostProgress::waiting_tags) {
            set(tags, Some(now));
        }
        for (host, tags) in self.hosts.iter().zip(tags_of_hosts) {
            let Some(held) = host.held else { continue };
            let wait = held.until.saturating_sub(now);
            for next in next.get_mut(tags).unwrap_or_default().iter_mut().flatten() {
                *next = wait.max(*next);
            }
            for tag in &host.later {
                if let Some(next) = next.get_mut(*tag) {
                    *next = Some(wait);
                }
            }
        }
        next
    }

    /// How many polls of a host are in flight.
    pub(super) fn in_flight(&self, host: usize) -> usize {
        self.hosts.get(host).map_or(0, |host| host.going.len())
    }

    /// Goes on where `old` stood, before another plan moved its tags: what is in flight stays so, and what was due or
    /// under way is due now. `moved` says where a tag of `old` stands now.
    pub(super) fn go_on_from(
        &mut self,
        mut old: Self,
        now: Duration,
        moved: impl Fn(usize) -> Option<(usize, usize)>,
    ) -> Carried {
        while let Some(round) = old.schedule.take_due(now) {
            old.wait(round);
        }
        self.next_round = old.next_round;
        let mut carried = Carried::Everything;
        let mut due: Vec<(usize, usize)> = Vec::new();
        for progress in old.hosts {
            due.extend(progress.waiting_tags().flatten().filter_map(&moved));
            for (host, tag) in progress.later.iter().copied().filter_map(&moved) {
                self.ask_later(&Step { host, tag, round: 0 });
            }
            let before = progress.held;
            for Going { name, tag, .. } in progress.going {
                let Some((host, tag)) = moved(tag) else {
                    carried = Carried::NotAll;
                    continue;
                };
                if let Some(progress) = self.hosts.get_mut(host) {
                    // Its cohort's slot is in the new schedule, and the rest of its round is due now.
                    progress.going.push(Going { name, round: Round::asked(host, tag..tag), tag });
                    progress.held = before.filter(|held| held.prober == Some(name)).or(progress.held);
                }
            }
        }
        due.sort_unstable();
        for of_host in due.chunk_by(|(before, _), (after, _)| before == after) {
            let tags: Vec<usize> = of_host.iter().map(|(_, tag)| *tag).collect();
            self.ask(of_host.first().map_or(0, |(host, _)| *host), &tags);
        }
        carried
    }

    fn wait(&mut self, round: Round) {
        let host = round.host;
        if let Some(progress) = self.hosts.get_mut(host) {
            progress.waiting.push_back(round);
            self.ready.push_back(host);
        }
    }

    fn begin_on(&mut self, host: usize, now: Duration) -> Option<Step> {
        let progress = self.hosts.get_mut(host)?;
        let may_begin = match progress.held {
            // What was in flight when the host was closed left it a connection: that of the poll that failed.
            Some(held) => held.until <= now && held.prober.is_none(),
            None => progress.going.len() < progress.connections,
        };
        if !may_begin {
            return None;
        }
        let mut round = match progress.waiting.pop_front() {
            Some(round) => round,
            None if progress.held.is_some() => {
                let tag = progress.later.pop_front()?;
                Round::asked(host, tag..tag + 1)
            }
            None => return None,
        };
        let tag = round.tags.next()?;
        if let Some(held) = &mut progress.held {
            held.prober = Some(self.next_round);
        }
        let going = Going { name: self.next_round, round, tag };
        self.next_round += 1;
        let step = going.step(host);
        progress.going.push(going);
        Some(step)
    }
}

/// What became of the polls in flight when another plan came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    /// All go on.
    Everything,
    /// The tag of at least one is gone.
    NotAll,
}

impl HostProgress {
    /// When a probe is due that nobody is.
    fn next_probe(&self) -> Option<Duration> {
        let held = self.held.filter(|held| held.prober.is_none())?;
        (!self.waiting.is_empty() || !self.later.is_empty()).then_some(held.until)
    }

    fn rounds(&self) -> impl Iterator<Item = &Round> {
        self.going.iter().map(|going| &going.round).chain(&self.waiting)
    }

    /// The tags that are due and not yet in flight.
    fn waiting_tags(&self) -> impl Iterator<Item = Range<usize>> {
        self.rounds().map(|round| round.tags.clone())
    }
}

impl Going {
    fn step(&self, host: usize) -> Step {
        Step { host, tag: self.tag, round: self.name }
    }

    fn next(&mut self, host: usize) -> Option<Step> {
        self.tag = self.round.tags.next()?;
        Some(self.step(host))
    }
}
