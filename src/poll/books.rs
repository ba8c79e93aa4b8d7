//! What is known about every tag and every host while polling goes on.

use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;

use super::cohort::{Layout, gather};
use super::condition::{Health, Trouble};
use super::gate::HostGate;
use super::log;
use super::progress::{Progress, Step};
use super::schedule::Schedule;
use super::{HostStatus, Limits, Mode, Plan, Status, TagStatus};
use crate::image::TagRef;
use crate::registry::{Depth, Known};

/// How many tags may share a token. Fewer than a cohort would waste tokens, many more would not fit in a header.
const GROUP: usize = 25;

/// What never changes: polls in flight borrow it.
#[derive(Debug)]
pub(super) struct Ground {
    /// Host by host, cohort by cohort.
    pub(super) tags: Vec<TagRef>,
    /// As long as the tags.
    pub(super) depths: Vec<Depth>,
    /// In the order of the plan.
    pub(super) hosts: Vec<Host>,
}

/// One host.
#[derive(Debug)]
pub(super) struct Host {
    name: String,
    limits: Limits,
    tags: Range<usize>,
    /// The one way to its budget.
    pub(super) gate: HostGate,
}

/// What changes with every poll.
#[derive(Debug)]
pub(super) struct Books<'a> {
    ground: &'a Ground,
    progress: Progress,
    /// As long as the tags.
    health: Vec<Health>,
    /// As long as the tags.
    known: Vec<Option<Known>>,
}

/// A poll that is over.
#[derive(Debug)]
pub(super) struct Answer {
    /// Which tag was polled.
    pub(super) step: Step,
    /// What the tag points to, which the next look need not look into again.
    pub(super) result: Result<Option<Known>, Trouble>,
    /// How long it took.
    pub(super) elapsed: Duration,
}

impl Host {
    /// The tags that share a token with the one at `position`: blocks of what is polled one after the other, so that each
    /// tag belongs to exactly one and a round needs one token for each.
    pub(super) fn group<'t>(&self, tags: &'t [TagRef], position: usize) -> &'t [TagRef] {
        let first = position - position.saturating_sub(self.tags.start) % GROUP;
        tags.get(first..(first + GROUP).min(self.tags.end)).unwrap_or_default()
    }
}

/// Lays `plan` out, to be polled from `now` on.
pub(super) fn prepare(plan: Plan, mode: Mode, now: Duration) -> (Ground, Progress, Vec<Option<Known>>) {
    let mut layout = Layout::default();
    let mut hosts = Vec::with_capacity(plan.hosts.len());
    let mut cohorts = Vec::new();
    for (position, host) in plan.hosts.into_iter().enumerate() {
        let (name, limits, first) = (host.host.clone(), host.limits, layout.tags.len());
        cohorts.extend(gather(position, host, &mut layout));
        let tags = first..layout.tags.len();
        hosts.push(Host { name, limits, tags, gate: HostGate::new(limits) });
    }
    let Layout { tags, depths, known } = layout;
    let ground = Ground { tags, depths, hosts };
    let connections = ground.hosts.iter().map(|host| host.limits.max_connections);
    let progress = Progress::new(Schedule::new(cohorts, mode, now), connections);
    (ground, progress, known)
}

impl<'a> Books<'a> {
    /// Nothing was polled yet.
    pub(super) fn new(ground: &'a Ground, progress: Progress, known: Vec<Option<Known>>) -> Self {
        let health = ground.tags.iter().map(|_| Health::default()).collect();
        Self { ground, progress, health, known }
    }

    /// What the tag of `step` pointed to at the last look.
    pub(super) fn known(&self, step: &Step) -> Option<Known> {
        self.known.get(step.tag)?.clone()
    }

    /// When something is due that was not due before.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.progress.next_due()
    }

    /// A tag to poll because it is due by `now`; to be asked again until there is none.
    pub(super) fn begin(&mut self, now: Duration) -> Option<Step> {
        self.progress.begin(now)
    }

    /// Enters a poll that ended at `now`, tells what is news, and says what to poll in its place.
    pub(super) fn enter(&mut self, answer: Answer, now: Duration, wall: Timestamp) -> Option<Step> {
        let Answer { step, result, elapsed } = answer;
        let result = result.map(|found| {
            if let Some(known) = self.known.get_mut(step.tag) {
                *known = found;
            }
        });
        let news = self.health.get_mut(step.tag)?.note(result, wall);
        if let (Some(news), Some(tag)) = (news, self.ground.tags.get(step.tag)) {
            log::news(tag, &news, self.progress.next_poll(&step, now), elapsed);
        }
        self.progress.advance(&step, now)
    }

    /// How everything is doing.
    pub(super) fn status(&self, now: Duration) -> Status {
        let next_polls = self.progress.next_polls(self.ground.tags.len(), now);
        let tags = self.ground.tags.iter().zip(&self.health).zip(next_polls);
        let tags = tags.map(|((tag, health), next_poll)| TagStatus {
            tag: tag.clone(),
            next_poll,
            last_success: health.last_success,
            condition: health.condition.as_deref().cloned(),
        });
        let hosts = self.ground.hosts.iter().enumerate().map(|(position, host)| self.host(position, host));
        Status { tags: tags.collect(), hosts: hosts.collect() }
    }

    fn host(&self, position: usize, host: &Host) -> HostStatus {
        let health = self.health.get(host.tags.clone()).unwrap_or_default();
        HostStatus {
            host: host.name.clone(),
            limits: host.limits,
            in_flight: self.progress.in_flight(position),
            tags: health.len(),
            failing: health.iter().filter(|health| health.condition.is_some()).count(),
        }
    }
}
