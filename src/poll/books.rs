//! What is known about every tag and every host while polling goes on.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::condition::{Health, Trouble};
use super::ground::{Ground, Host, Laid, lay};
use super::log;
use super::progress::{Progress, Step};
use super::schedule::Schedule;
use super::{HostStatus, Mode, Plan, Status, TagStatus};
use crate::image::TagRef;
use crate::registry::Known;

/// The books that the loop keeps.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) ground: Arc<Ground>,
    pub(super) mode: Mode,
    pub(super) progress: Progress,
    /// As long as the tags.
    pub(super) health: Vec<Health>,
    /// As long as the tags.
    pub(super) known: Vec<Option<Known>>,
    /// As long as the tags: which the plan says cannot wait.
    pub(super) eager: Vec<bool>,
}

/// A poll to be made.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) ground: Arc<Ground>,
    pub(super) step: Step,
    /// What the tag pointed to at the last look.
    pub(super) known: Option<Known>,
}

/// A poll that is over.
#[derive(Debug)]
pub(super) struct Answer {
    /// The round that it belongs to.
    pub(super) round: u64,
    /// What the tag points to, which the next look need not look into again.
    pub(super) result: Result<Option<Known>, Trouble>,
    /// How long it took.
    pub(super) elapsed: Duration,
}

impl Books {
    /// Lays `plan` out, to be polled from `now` on. Nothing was polled yet.
    pub(super) fn new(plan: Plan, mode: Mode, now: Duration) -> Self {
        let Laid { ground, cohorts, known, eager } = lay(plan, |_| None);
        let connections = ground.hosts.iter().map(|host| host.limits.max_connections);
        let progress = Progress::new(Schedule::new(cohorts, mode, now), connections);
        let health = ground.tags.iter().map(|_| Health::default()).collect();
        Self { ground: Arc::new(ground), mode, progress, health, known, eager }
    }

    /// When something is due that was not due before.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.progress.next_due()
    }

    /// A tag to poll because it is due by `now`; to be asked again until there is none.
    pub(super) fn begin(&mut self, now: Duration) -> Option<Question> {
        let step = self.progress.begin(now)?;
        Some(self.question(step))
    }

    /// All polls in flight, to be made anew.
    pub(super) fn again(&self) -> impl Iterator<Item = Question> {
        self.progress.going().map(|step| self.question(step))
    }

    /// These tags are due now, or all if none is named. Answers how many are.
    pub(super) fn ask(&mut self, tags: &[TagRef]) -> usize {
        let mut positions: Vec<usize> = if tags.is_empty() {
            (0..self.ground.tags.len()).collect()
        } else {
            let positions = self.ground.positions();
            tags.iter().filter_map(|tag| positions.get(tag).copied()).collect()
        };
        positions.sort_unstable();
        positions.dedup();
        self.due_now(&positions);
        positions.len()
    }

    /// The tags at these positions, in order, are due now.
    pub(super) fn due_now(&mut self, positions: &[usize]) {
        let ground = &self.ground;
        for of_host in positions.chunk_by(|before, after| ground.host_of(*before) == ground.host_of(*after)) {
            let host = of_host.first().map_or(0, |first| ground.host_of(*first));
            self.progress.ask(host, of_host);
        }
    }

    /// Enters a poll that ended at `now`, tells what is news, and says what to poll in its place.
    pub(super) fn enter(&mut self, answer: Answer, now: Duration, wall: Timestamp) -> Option<Question> {
        let Answer { round, result, elapsed } = answer;
        let step = self.progress.current(round)?;
        let result = result.map(|found| {
            if let Some(known) = self.known.get_mut(step.tag) {
                *known = found;
            }
        });
        let news = self.health.get_mut(step.tag)?.note(result, wall);
        if let (Some(news), Some(tag)) = (news, self.ground.tags.get(step.tag)) {
            log::news(tag, &news, self.progress.next_poll(&step, now), elapsed);
        }
        let next = self.progress.advance(&step, now)?;
        Some(self.question(next))
    }

    fn question(&self, step: Step) -> Question {
        let known = self.known.get(step.tag).cloned().flatten();
        Question { ground: Arc::clone(&self.ground), step, known }
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
