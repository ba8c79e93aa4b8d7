//! What is known about every tag and every host while polling goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::backoff::Blame;
use super::clock::Steady;
use super::condition::{Health, Scope, Trouble};
use super::gate::HostGate;
use super::ground::{Ground, Host, Laid, lay};
use super::host::HostHealth;
use super::lane::Step;
use super::log;
use super::progress::Progress;
use super::schedule::Schedule;
use super::{HostStatus, Mode, Plan, Status, TagStatus, Until};
use crate::image::TagRef;
use crate::registry::Known;

/// How long polling once waits for a host in trouble: two probes, a second or two after one another.
const PATIENCE_OF_ONCE: Duration = Duration::from_secs(3);

/// The books that the loop keeps.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) ground: Arc<Ground>,
    pub(super) mode: Mode,
    pub(super) clock: Steady,
    pub(super) progress: Progress,
    /// As long as the tags.
    pub(super) health: Vec<Health>,
    /// As long as the tags.
    pub(super) known: Vec<Option<Known>>,
    /// As long as the hosts.
    pub(super) hosts: Vec<HostHealth>,
    /// As long as the tags: which the plan says cannot wait.
    pub(super) eager: Vec<bool>,
    /// As long as the tags: how long each is polled without being asked for.
    pub(super) until: Vec<Until>,
    /// The gates of hosts that no plan has any more, by name, for as long as it matters what went through them.
    pub(super) gone: BTreeMap<String, Arc<HostGate>>,
}

/// A poll to be made.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) ground: Arc<Ground>,
    pub(super) step: Step,
    /// What the tag pointed to at the last look.
    pub(super) known: Option<Known>,
    /// Whether its host proved well after this tag had failed.
    pub(super) doubted: bool,
}

/// A poll that is over.
#[derive(Debug)]
pub(super) struct Answer {
    /// The round that it belongs to.
    pub(super) round: u64,
    /// Whose trouble it ran into, if into any.
    pub(super) blame: Option<Blame>,
    /// What the tag points to, which the next look need not look into again.
    pub(super) result: Result<Option<Known>, Trouble>,
    /// How long it took.
    pub(super) elapsed: Duration,
}

impl Books {
    /// Lays `plan` out, to be polled from `now` on. Nothing was polled yet.
    pub(super) fn new(plan: Plan, mode: Mode, clock: Steady) -> Self {
        let gate = |name: &str, limits| Arc::new(HostGate::new(name, limits, clock));
        let Laid { ground, cohorts, known, eager, until } = lay(plan, gate);
        match mode {
            Mode::Once => {}
            Mode::Continuous => ground.hosts.iter().for_each(log::stretched),
        }
        let connections = ground.hosts.iter().map(|host| host.limits.max_connections);
        let progress = Progress::new(Schedule::new(cohorts, mode, clock.now()), connections);
        let health = ground.tags.iter().map(|_| Health::default()).collect();
        let hosts = ground.hosts.iter().map(|_| HostHealth::default()).collect();
        Self {
            ground: Arc::new(ground),
            mode,
            clock,
            progress,
            health,
            known,
            hosts,
            eager,
            until,
            gone: BTreeMap::new(),
        }
    }

    /// When something is due that was not due before.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.progress.next_due()
    }

    /// Whether [`Self::begin`] may have something to begin although no time has passed.
    pub(super) fn may_begin(&self) -> bool {
        self.progress.may_begin()
    }

    /// A tag to poll because it is due by `now`; to be asked again until there is none.
    pub(super) fn begin(&mut self, now: Duration) -> Option<Question> {
        while let Some(step) = self.progress.begin(now) {
            if let Some(question) = self.pass_over(step, now) {
                return Some(question);
            }
        }
        None
    }

    /// The poll of `step`, or the next in its place if the registry wants that tag to be left alone, or nobody wants it.
    fn pass_over(&mut self, mut step: Step, now: Duration) -> Option<Question> {
        while self.is_unwanted(&step) || self.is_left_alone(step.tag, now) {
            // A slot that is passed over because nobody wants it takes nothing from who asked for the tag.
            if self.is_left_alone(step.tag, now) {
                self.progress.ask_no_more(&step);
            }
            step = self.progress.advance(&step, now)?;
        }
        Some(self.question(step))
    }

    fn is_left_alone(&self, tag: usize, now: Duration) -> bool {
        self.health.get(tag).is_some_and(|health| !health.left_alone_for(now).is_zero())
    }

    /// Whether it is a tag's slot that brought the step about, and one success was enough for that tag.
    fn is_unwanted(&self, step: &Step) -> bool {
        self.is_done(step.tag) && self.progress.is_scheduled(step)
    }

    /// Whether a tag is polled only if somebody asks.
    pub(super) fn is_done(&self, tag: usize) -> bool {
        self.until.get(tag) == Some(&Until::Asked)
    }

    /// The hosts of these names, if they are left alone, are probed as soon as their registries allow.
    pub(super) fn probe_soon(&mut self, wanted: impl Fn(&str) -> bool) {
        for (position, host) in self.ground.hosts.iter().enumerate().filter(|(_, host)| wanted(&host.name)) {
            if let Some(until) = host.gate.probe_soon().filter(|_| self.progress.is_held(position)) {
                self.progress.hold(position, until);
            }
        }
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
        let hosts: BTreeSet<&str> = tags.iter().map(TagRef::host).collect();
        self.probe_soon(|host| hosts.is_empty() || hosts.contains(host));
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
        let Answer { round, blame, result, elapsed } = answer;
        let step = self.progress.current(round)?;
        let ground = Arc::clone(&self.ground);
        let tag = ground.tags.get(step.tag)?;
        let host = ground.hosts.get(step.host)?;
        let health = self.health.get_mut(step.tag)?;

        let answered = result.as_ref().err().is_none_or(|trouble| trouble.scope == Scope::Tag);
        let login_accepted = answered && health.answered();
        // A wish that closes the host holds for all.
        let wish = result.as_ref().err().filter(|_| blame == Some(Blame::Tag));
        let wish = wish.and_then(|trouble| trouble.retry_after);
        health.leave_alone(wish.map(|wish| now.saturating_add(wish)));
        let news = match (result, blame) {
            (Ok(found), _) => {
                *self.known.get_mut(step.tag)? = found;
                let until = self.until.get_mut(step.tag)?;
                *until = until.after_success();
                self.progress.ask_no_more(&step);
                health.succeed(wall)
            }
            (Err(trouble), blame) => {
                let blame = blame.unwrap_or(Blame::Tag);
                let closed_for = host.gate.closed_until().map(|until| until.saturating_sub(now));
                self.hosts.get_mut(step.host)?.fail(&host.name, &trouble, blame, wall, closed_for);
                match self.mode {
                    Mode::Continuous if blame == Blame::Host => {
                        // If it was opened before this was entered, that is told, and the tag asked for again.
                        self.progress.hold(step.host, now);
                        self.progress.ask_later(&step);
                    }
                    Mode::Continuous | Mode::Once => self.progress.ask_no_more(&step),
                }
                health.fail(trouble, blame, wall)
            }
        };
        let is_done = self.until.get(step.tag) == Some(&Until::Asked);
        if let Some(news) = news {
            let next_poll = self.progress.next_poll(&step, now).filter(|_| !is_done);
            let next_poll = next_poll.map(|next| next.max(wish.unwrap_or_default()));
            log::news(tag, &news, next_poll, elapsed);
        }
        if login_accepted {
            self.hosts.get_mut(step.host)?.login_accepted(&host.name, wall);
        }
        self.follow_gate(&step, host, now, wall);
        let next = self.progress.advance(&step, now)?;
        self.pass_over(next, now)
    }

    /// Holds what waits for a host that was closed, and lets it go once that is open again.
    fn follow_gate(&mut self, step: &Step, host: &Host, now: Duration, wall: Timestamp) {
        match host.gate.closed_until() {
            Some(until) if self.mode == Mode::Once && until.saturating_sub(now) > PATIENCE_OF_ONCE => {
                self.give_up(step, host);
            }
            Some(until) => self.progress.hold(step.host, until),
            None if self.progress.is_held(step.host) => {
                self.health
                    .get_mut(host.tags.clone())
                    .unwrap_or_default()
                    .iter_mut()
                    .for_each(Health::host_recovered);
                if let Some(health) = self.hosts.get_mut(step.host) {
                    health.opened(&host.name, wall);
                }
                self.progress.release(step.host, now);
            }
            None => {}
        }
    }

    /// Who polls once does not wait for a host that will be back who knows when: what waits for it fails as the last poll
    /// did.
    fn give_up(&mut self, step: &Step, host: &Host) {
        let condition = self.health.get(step.tag).and_then(|health| health.condition.as_ref());
        if let Some(condition) = condition {
            host.gate.give_up(condition.trouble.clone());
        }
        self.progress.let_go(step.host);
    }

    fn question(&self, step: Step) -> Question {
        let known = self.known.get(step.tag).cloned().flatten();
        let doubted = self.health.get(step.tag).is_some_and(Health::is_doubted);
        Question { ground: Arc::clone(&self.ground), step, known, doubted }
    }

    /// How everything is doing.
    pub(super) fn status(&self, now: Duration) -> Status {
        let tags_of_hosts = self.ground.hosts.iter().map(|host| host.tags.clone());
        let next_polls = self.progress.next_polls(self.ground.tags.len(), tags_of_hosts, now);
        let tags = self.ground.tags.iter().zip(&self.health).zip(next_polls);
        let tags = tags.enumerate().map(|(position, ((tag, health), next_poll))| TagStatus {
            tag: tag.clone(),
            next_poll: next_poll
                .filter(|_| !self.is_done(position))
                .map(|next| next.max(health.left_alone_for(now))),
            last_success: health.last_success,
            condition: health.condition.as_deref().cloned(),
        });
        let hosts = self.ground.hosts.iter().enumerate();
        let hosts = hosts.map(|(position, host)| self.host(position, host, now));
        Status { tags: tags.collect(), hosts: hosts.collect() }
    }

    fn host(&self, position: usize, host: &Host, now: Duration) -> HostStatus {
        let closed_for = host.gate.closed_until().map(|until| until.saturating_sub(now));
        let health = self.health.get(host.tags.clone()).unwrap_or_default();
        HostStatus {
            host: host.name.clone(),
            limits: host.limits,
            in_flight: self.progress.in_flight(position),
            tags: health.len(),
            failing: health.iter().filter(|health| health.condition.is_some()).count(),
            stretched: host.stretched,
            trouble: self.hosts.get(position).and_then(|host| host.trouble(closed_for)),
        }
    }
}
