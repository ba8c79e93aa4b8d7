//! The order of builds: what a newer one replaces, what may start next, what is kept once it ended.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::Controller;
use super::event::{Effect, Ended, Note, Now, Transition};
use super::key::{BuildKey, ConfigKey};
use super::record::{Attempt, Build, CancelReason, Failure, Outcome, Phase, Record, Urgency};
use super::settings::{History, RunPolicy, Supersede};

/// Takes out of the queue what the new build `made` makes pointless.
pub(super) fn make_room(controller: &Controller, key: &BuildKey, made: &Build, now: Now, t: &mut Transition) {
    let builds = controller.records.builds_of(&key.config);
    for (older, build) in builds.filter(|(_, build)| !build.phase.is_terminal()) {
        if let Some(phase) = replaced(build, key, made) {
            if matches!(phase, Phase::Cancelled(_)) {
                t.notes.push(Note::BuildSuperseded { build: older.clone(), by: key.clone() });
            }
            controller.finish(older, build.clone(), phase, now, None, t);
        }
    }
}

/// What becomes of a waiting build when `newer` is queued; `None` if it keeps its turn.
///
/// Which builds a newer one replaces is the newer one's policy (F38), but an old build that is made again replaces none. A
/// build that only images caused and that waits for a retry ends as what it was, under every policy, when images cause a
/// newer one: that has the newer images.
pub(super) fn replaced(build: &Build, newer: &BuildKey, made: &Build) -> Option<Phase> {
    if made.urgency == Urgency::Rebuild {
        return None;
    }
    match build.phase {
        Phase::Pending { .. } if build.only_images() && made.only_images() => Some(last_failure(build)),
        Phase::New if made.run_policy == RunPolicy::SerialLatestOnly => match made.supersede {
            Supersede::Images if !build.only_images() => None,
            Supersede::Images | Supersede::All => {
                Some(Phase::Cancelled(CancelReason::Superseded(newer.number)))
            }
        },
        Phase::New | Phase::Pending { .. } | Phase::Running => None,
        Phase::Complete | Phase::Failed(_) | Phase::Error(_) | Phase::Cancelled(_) => None,
    }
}

/// The end of a build that has no run left: what its last attempt came to.
fn last_failure(build: &Build) -> Phase {
    match build.history.last().and_then(|attempt| attempt.outcome.as_ref()) {
        Some(Outcome::Failed(failure)) => Phase::Failed(*failure),
        Some(Outcome::NotStarted(error)) => Phase::Error(error.clone()),
        Some(Outcome::Complete | Outcome::Interrupted | Outcome::Cancelled) | None => {
            Phase::Failed(Failure::Exit(-1))
        }
    }
}

/// How long a build still waits for its next attempt; `None` if it does not wait. A clock that was set back ends the
/// wait rather than stretching it.
pub(super) fn wait_left(build: &Build, now: Timestamp) -> Option<Duration> {
    let Phase::Pending { since, wait } = build.phase else { return None };
    match Duration::try_from(now.duration_since(since)) {
        Ok(waited) => Some(wait.saturating_sub(waited)),
        Err(_) => Some(Duration::ZERO),
    }
}

impl Controller {
    /// Starts what may start now.
    pub(super) fn schedule(&self, now: Now, t: &mut Transition) {
        for (key, build) in self.next_builds(now) {
            start(key, build.clone(), now, t);
        }
    }

    /// What may start now: the most urgent first, then the oldest, as many as there is room for.
    pub(super) fn next_builds(&self, now: Now) -> Vec<(&BuildKey, &Build)> {
        if self.live.is_empty() {
            return Vec::new();
        }
        let free = self.loaded.settings.max_builds.saturating_sub(self.running().count());
        if self.draining || free == 0 {
            return Vec::new();
        }
        let mut queue: Vec<(&BuildKey, &Build)> =
            self.live_builds().filter(|(key, build)| self.is_ready(key, build, now)).collect();
        queue.sort_by_key(|(key, build)| (build.urgency, build.created, key.number));
        queue.retain(|(key, build)| self.has_turn(key, build, now));
        queue.truncate(free);
        queue
    }

    fn running(&self) -> impl Iterator<Item = (&BuildKey, &Build)> {
        self.live_builds().filter(|(_, build)| build.phase == Phase::Running)
    }

    fn is_ready(&self, key: &BuildKey, build: &Build, now: Now) -> bool {
        let waits = match build.phase {
            Phase::New => false,
            Phase::Pending { .. } => wait_left(build, now.wall) != Some(Duration::ZERO),
            Phase::Running | Phase::Complete | Phase::Failed(_) | Phase::Error(_) | Phase::Cancelled(_) => {
                return false;
            }
        };
        !waits && self.config(&key.config).is_some()
    }

    /// Whether it is the turn of a build among those of its config. Serial means number order, and alone (F38); a build that
    /// waits for a retry lets later ones pass. Parallel builds start together once the next one is of them, but beside no
    /// build of another policy.
    fn has_turn(&self, key: &BuildKey, build: &Build, now: Now) -> bool {
        let builds = || self.records.builds_of(&key.config);
        let mut running = builds().filter(|(_, build)| build.phase == Phase::Running);
        let Some((next, first)) = builds().find(|(key, build)| self.is_ready(key, build, now)) else {
            return false;
        };
        match (first.run_policy, build.run_policy) {
            (RunPolicy::Parallel, RunPolicy::Parallel) => {
                running.all(|(_, build)| build.run_policy == RunPolicy::Parallel)
            }
            (RunPolicy::Serial | RunPolicy::SerialLatestOnly | RunPolicy::Parallel, _) => {
                next == key && build.run_policy != RunPolicy::Parallel && running.next().is_none()
            }
        }
    }

    /// Ends a build, counts failures, and lets go of what its config no longer keeps. `ended` is the runner's word, if
    /// that is what ends it.
    pub(super) fn finish(
        &self,
        key: &BuildKey,
        mut build: Build,
        phase: Phase,
        now: Now,
        ended: Option<&Ended>,
        t: &mut Transition,
    ) {
        let failures_in_row = self.count_failure(&key.config, &phase, t);
        t.notes.push(Note::BuildFinished(super::Finished {
            build: key.clone(),
            phase: phase.clone(),
            outcome: build.history.last().and_then(|attempt| attempt.outcome.clone()),
            attempts: build.attempts,
            elapsed: ended.map_or(Duration::ZERO, |ended| ended.elapsed),
            failures_in_row,
            images: build.images.clone(),
            commit: build.commit.clone(),
            tail: ended.map_or_else(Vec::new, |ended| ended.tail.clone()),
        }));
        build.phase = phase;
        build.ended = Some(now.wall);
        t.records.push(Record::Build(key.clone(), Some(Box::new(build))));
        if let Some(config) = self.config(&key.config) {
            self.prune(&key.config, config.policy.history, t);
        }
    }

    fn count_failure(&self, config: &ConfigKey, phase: &Phase, t: &mut Transition) -> u32 {
        let mut record = self.config_record_in(t, config);
        let failures = match phase {
            Phase::Complete => 0,
            Phase::Failed(_) | Phase::Error(_) => record.failures_in_row.saturating_add(1),
            Phase::New | Phase::Pending { .. } | Phase::Running | Phase::Cancelled(_) => {
                record.failures_in_row
            }
        };
        if failures != record.failures_in_row {
            record.failures_in_row = failures;
            t.records.push(Record::Config(config.clone(), Some(Box::new(record))));
        }
        failures
    }

    /// Keeps the newest builds of each kind, and always the last Complete one (F39, D19).
    fn prune(&self, config: &ConfigKey, history: History, t: &mut Transition) {
        let mut ended: BTreeMap<&BuildKey, bool> = self
            .records
            .builds_of(config)
            .filter(|(_, build)| build.phase.is_terminal())
            .map(|(key, build)| (key, build.phase == Phase::Complete))
            .collect();
        for record in &t.records {
            if let Record::Build(key, build) = record
                && key.config == *config
            {
                match build.as_ref().filter(|build| build.phase.is_terminal()) {
                    Some(build) => ended.insert(key, build.phase == Phase::Complete),
                    None => ended.remove(key),
                };
            }
        }
        let newest_first = |complete: bool| {
            ended.iter().rev().filter(move |(_, is)| **is == complete).map(|(key, _)| (*key).clone())
        };
        let successful = newest_first(true).skip(history.successful.max(1));
        let surplus: Vec<BuildKey> = successful.chain(newest_first(false).skip(history.failed)).collect();
        for key in surplus {
            t.effects.push(Effect::Discard(key.clone()));
            t.records.push(Record::Build(key, None));
        }
    }
}

/// The intent to run a build once more: stored before the runner hears of it.
fn start(key: &BuildKey, mut build: Build, now: Now, t: &mut Transition) {
    build.attempts += 1;
    build.phase = Phase::Running;
    let surplus = (build.history.len() + 1).saturating_sub(Build::ATTEMPTS_KEPT);
    build.history.drain(..surplus);
    build.history.push(Attempt { number: build.attempts, started: now.wall, handle: None, outcome: None });
    let attempt = build.attempt(key, None);
    t.notes.push(Note::BuildStarted { build: key.clone(), attempt: build.attempts });
    t.effects.push(Effect::Start(attempt));
    t.records.push(Record::Build(key.clone(), Some(Box::new(build))));
}
