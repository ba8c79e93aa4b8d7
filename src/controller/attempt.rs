//! What the runner's words, and a person's, mean for a build.

use std::time::Duration;

use super::Controller;
use super::event::{AttemptRef, Effect, Ended, Note, Now, Transition};
use super::key::BuildKey;
use super::policy;
use super::record::{Build, CancelReason, Outcome, Phase, Record};
use super::settings::{BuildConfig, OnInterrupt, Retry};

/// A build that was cut off this often is not tried again: something in it may take the daemon down.
const INTERRUPTIONS: u32 = 5;

impl Controller {
    /// The runner started an attempt; its handle is what finds it again after a restart.
    pub(super) fn accepted(&self, key: &BuildKey, attempt: u32, handle: &str, t: &mut Transition) {
        let Some(build) = self.records.builds.get(key).filter(|build| build.is_running(attempt)) else {
            return;
        };
        let mut build = build.clone();
        if let Some(last) = build.history.last_mut() {
            last.handle = Some(handle.into());
        }
        t.records.push(Record::Build(key.clone(), Some(build)));
    }

    /// An attempt is over. Words about any attempt but the running one are late, and mean nothing.
    pub(super) fn ended(&self, ended: &Ended, now: Now, t: &mut Transition) {
        let key = &ended.build;
        let running = self.records.builds.get(key).filter(|build| build.is_running(ended.attempt));
        // A runner that keeps what it told may forget it by now, also where it tells it a second time.
        if let Some(known) = self.records.builds.get(key).filter(|build| build.runner.is_some()) {
            let attempt = AttemptRef { attempt: ended.attempt, ..known.attempt(key, None) };
            t.effects.push(Effect::Acknowledge(attempt));
        }
        let Some(mut build) = running.map(|build| (**build).clone()) else { return };
        if let Some(last) = build.history.last_mut() {
            last.outcome = Some(ended.outcome.clone());
        }
        build.commit = ended.commit.clone().or(build.commit);
        build.images = ended.images.clone();
        build.images.truncate(Build::IMAGES_KEPT);
        if ended.outcome == Outcome::Interrupted {
            build.interruptions += 1;
            t.notes.push(Note::BuildInterrupted { build: key.clone(), attempt: ended.attempt });
        }
        let phase = self.phase_after(key, &build, &ended.outcome, now);
        match phase {
            Phase::Pending { wait, .. } => t.notes.push(Note::BuildRetrying {
                build: key.clone(),
                attempt: ended.attempt,
                outcome: ended.outcome.clone(),
                wait,
                tail: ended.tail.clone(),
            }),
            Phase::Cancelled(CancelReason::Superseded(number)) => {
                let by = BuildKey { config: key.config.clone(), number };
                t.notes.push(Note::BuildSuperseded { build: key.clone(), by });
            }
            Phase::Cancelled(reason) => t.notes.push(Note::BuildCancelled { build: key.clone(), reason }),
            Phase::New | Phase::Running | Phase::Complete | Phase::Failed(_) | Phase::Error(_) => {}
        }
        if phase.is_terminal() {
            self.finish(key, build, phase, now, Some(ended), t);
        } else {
            build.phase = phase;
            t.records.push(Record::Build(key.clone(), Some(Box::new(build))));
        }
    }

    fn phase_after(&self, key: &BuildKey, build: &Build, outcome: &Outcome, now: Now) -> Phase {
        if build.cancel_asked && *outcome != Outcome::Complete {
            return Phase::Cancelled(CancelReason::Asked);
        }
        let config = self.config(&key.config);
        let next = match outcome {
            Outcome::Complete => return Phase::Complete,
            Outcome::Cancelled => return Phase::Cancelled(CancelReason::Asked),
            Outcome::Interrupted => {
                return self.after_interruption(key, build, config.map(|config| &**config));
            }
            Outcome::Failed(failure) => Phase::Failed(*failure),
            Outcome::NotStarted(error) => Phase::Error(error.clone()),
        };
        let used = build.attempts.saturating_sub(build.interruptions);
        match config.and_then(|config| wait_before(config.policy.retry, used)) {
            Some(wait) if !(build.only_images() && self.has_newer_images(key)) => {
                Phase::Pending { since: now.wall, wait }
            }
            _ => next,
        }
    }

    /// A build that may have run is run again under the same id (D3), unless that is pointless by now.
    fn after_interruption(&self, key: &BuildKey, build: &Build, config: Option<&BuildConfig>) -> Phase {
        let Some(config) = config else { return Phase::Cancelled(CancelReason::ConfigRemoved) };
        if config.policy.on_interrupt == OnInterrupt::Fail {
            return Phase::Error("interrupted, and on_interrupt is \"fail\"".into());
        }
        if build.interruptions >= INTERRUPTIONS {
            return Phase::Error(format!("interrupted {} times", build.interruptions).into());
        }
        let requeued = Build { phase: Phase::New, ..build.clone() };
        let mut newer = self.newer_builds(key).filter(|(_, newer)| !newer.phase.is_terminal());
        newer.find_map(|(newer, made)| policy::replaced(&requeued, newer, made)).unwrap_or(Phase::New)
    }

    /// Whether images caused a later build of the same config, which is there or was. One that was called off made nothing.
    fn has_newer_images(&self, key: &BuildKey) -> bool {
        let counts = |build: &Build| build.only_images() && !matches!(build.phase, Phase::Cancelled(_));
        self.newer_builds(key).any(|(_, build)| counts(build))
    }

    /// The later builds of the same config, the newest first.
    fn newer_builds(&self, key: &BuildKey) -> impl Iterator<Item = (&BuildKey, &Build)> {
        self.records.builds_of(&key.config).rev().take_while(|(other, _)| other.number > key.number)
    }

    /// A person calls a build off: at once if it waits, else as soon as its attempt has ended.
    pub(super) fn cancel(&self, key: &BuildKey, now: Now, t: &mut Transition) {
        let Some(build) = self.records.builds.get(key).filter(|build| !build.phase.is_terminal()) else {
            return;
        };
        let mut build = (**build).clone();
        if build.phase == Phase::Running {
            t.effects.push(Effect::Cancel(build.attempt(key, None)));
            build.cancel_asked = true;
            t.records.push(Record::Build(key.clone(), Some(Box::new(build))));
        } else {
            self.call_off(key, build, CancelReason::Asked, now, t);
        }
    }

    /// Ends a build that is not running.
    pub(super) fn call_off(
        &self,
        key: &BuildKey,
        build: Build,
        why: CancelReason,
        now: Now,
        t: &mut Transition,
    ) {
        t.notes.push(Note::BuildCancelled { build: key.clone(), reason: why });
        self.finish(key, build, Phase::Cancelled(why), now, None, t);
    }
}

/// The wait before the next run, if there is one: it doubles each time, up to a day.
fn wait_before(retry: Retry, used: u32) -> Option<Duration> {
    const LONGEST: Duration = Duration::from_hours(24);
    (used < retry.attempts).then(|| {
        let doublings = used.saturating_sub(1).min(16);
        retry.backoff.saturating_mul(1 << doublings).min(LONGEST)
    })
}
