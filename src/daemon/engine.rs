//! The one way through: events in, a decision, the store, and only then the effects.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::group::Group;
use super::narrate::narrate;
use super::words::millis;
use crate::control::protocol::StoreTrouble;
use crate::controller::{
    AttemptRef, Controller, Effect, Ended, Event, Note, Now, Outcome, Phase, Transition,
};
use crate::failpoint;
use crate::runner::Runners;
use crate::store::{CommitError, Store};

/// How many events are decided on before they are stored together: what waited while the last group was synced.
pub(super) const GROUP: usize = 200;

/// The waits between tries to store a group: they double from the first to the last.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// The controller, the store behind it, and what carries its effects out.
pub(super) struct Engine {
    pub(super) controller: Controller,
    store: Store,
    runner: Runners,
    builds_dir: PathBuf,
    /// Where an attempt's end is told that could not even begin.
    events: mpsc::Sender<Event>,
    started: Instant,
    /// Events of a group that could not be stored.
    unstored: Vec<Event>,
    trouble: Option<Trouble>,
    /// Whether a build failed, for `run --once`.
    pub(super) failed: bool,
    /// The store's thread is gone: nothing can be decided any more.
    pub(super) stopped: bool,
}

/// The store does not take what was decided.
struct Trouble {
    error: String,
    since: Instant,
    tries: u32,
    next: Instant,
    wait: Duration,
}

impl Engine {
    pub(super) fn new(
        controller: Controller,
        store: Store,
        runner: Runners,
        builds_dir: PathBuf,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let (started, unstored) = (Instant::now(), Vec::new());
        Self {
            controller,
            store,
            runner,
            builds_dir,
            events,
            started,
            unstored,
            trouble: None,
            failed: false,
            stopped: false,
        }
    }

    /// Both clocks.
    pub(super) fn now(&self) -> Now {
        Now { wall: Timestamp::now(), mono: self.started.elapsed() }
    }

    /// When [`Engine::step`] is to be called although nothing happened; `None` if nothing waits for time.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        match &self.trouble {
            Some(trouble) => Some(trouble.next),
            None => self.controller.next_tick(self.now()).map(|wait| Instant::now() + wait),
        }
    }

    /// Whether events are taken in: not while the store is in trouble, so that whoever sends them waits.
    pub(super) fn takes_events(&self) -> bool {
        self.trouble.is_none()
    }

    /// Decides on `events`, stores what was decided, then lets the effects leave. A group that cannot be stored is
    /// kept and decided on again later: the end of a build must not be lost.
    pub(super) async fn step(&mut self, events: Vec<Event>) {
        self.unstored.extend(events);
        let events = std::mem::take(&mut self.unstored);
        if let Err(error) = self.attempt(&events, |_, _| {}).await {
            self.unstored = events;
            self.meet_trouble(&error);
        } else if let Some(trouble) = self.trouble.take() {
            tracing::info!(
                event = "store_recovered",
                what = "journal",
                count = trouble.tries,
                elapsed_ms = millis(trouble.since.elapsed()),
                "state can be stored again"
            );
        }
    }

    /// As [`Engine::step`] for one event of a person, who is told at once if it could not be stored.
    pub(super) async fn ask(&mut self, event: Event) -> Result<(), CommitError> {
        self.ask_all(std::slice::from_ref(&event), |_, _| {}).await
    }

    /// As [`Engine::ask`] for several events, which are stored together. After each has been decided on, `look` may see
    /// what came of it; it holds only if all could be stored.
    pub(super) async fn ask_all(
        &mut self,
        events: &[Event],
        look: impl FnMut(&Controller, usize),
    ) -> Result<(), CommitError> {
        self.attempt(events, look).await
    }

    async fn attempt(
        &mut self,
        events: &[Event],
        mut look: impl FnMut(&Controller, usize),
    ) -> Result<(), CommitError> {
        let now = self.now();
        let mut group = Group::default();
        for (nth, event) in events.iter().enumerate() {
            group.decide(&mut self.controller, event, now);
            look(&self.controller, nth);
        }
        group.tick(&mut self.controller, now);
        // Most polls change nothing, and this is all that comes of them.
        if group.transitions().is_empty() {
            return Ok(());
        }
        match self.store.commit(group.transitions()).await {
            Ok(()) => group.transitions().iter().for_each(|transition| self.carry_out(transition)),
            Err(error) => {
                group.take_back(&mut self.controller);
                return Err(error);
            }
        }
        Ok(())
    }

    /// What follows from a decision that is stored.
    fn carry_out(&mut self, transition: &Transition) {
        for note in &transition.notes {
            self.failed |= is_failure(note);
            narrate(note, &self.builds_dir);
        }
        for effect in &transition.effects {
            // An effect that is lost here is lost as by a crash: the next start makes up for it.
            if failpoint::reach("engine-before-effect").is_err() {
                continue;
            }
            match effect {
                Effect::Start(attempt) => self.start(attempt.clone()),
                Effect::Adopt(attempt) => self.runner.adopt(attempt.clone()),
                Effect::Cancel(attempt) => self.runner.cancel(attempt),
                Effect::Acknowledge(attempt) => self.runner.acknowledge(attempt),
                Effect::Discard(build) => {
                    self.store.discard(build.clone());
                    self.runner.discard(build);
                }
            }
        }
    }

    /// Hands the runner what the build is given. The file is small and mostly in memory, so it is read here: the
    /// runner knows the attempt before anyone can call it off.
    fn start(&self, attempt: AttemptRef) {
        let problem = match self.store.specs().read(&attempt.build) {
            Ok(spec) => return self.runner.start(attempt, spec),
            Err(error) => error.to_string(),
        };
        let ended = Event::Ended(Ended {
            build: attempt.build,
            attempt: attempt.attempt,
            outcome: Outcome::NotStarted(problem.into()),
            images: Vec::new(),
            commit: None,
            tail: Vec::new(),
            elapsed: Duration::ZERO,
        });
        let events = self.events.clone();
        // This task must not wait for room in a channel that it empties itself.
        tokio::spawn(async move { events.send(ended).await });
    }

    fn meet_trouble(&mut self, error: &CommitError) {
        self.stopped |= matches!(error, CommitError::Stopped);
        let now = Instant::now();
        let first = self.trouble.is_none();
        let trouble = self.trouble.get_or_insert(Trouble {
            error: String::new(),
            since: now,
            tries: 0,
            next: now,
            wait: RETRY.0,
        });
        trouble.tries += 1;
        trouble.error = error.to_string();
        trouble.next = now + trouble.wait;
        if first {
            tracing::error!(event = "store_failed", what = "journal", error = %error, "state cannot be stored");
        }
        trouble.wait = (trouble.wait * 2).min(RETRY.1);
    }

    /// The store, for what reads it.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Whether nothing runs and nothing can start now: builds that wait for a retry or a person may remain.
    pub(super) fn is_idle(&self) -> bool {
        let idle = |phase: &Phase| match phase {
            Phase::New | Phase::Running => false,
            Phase::Pending { .. } => true,
            Phase::Complete | Phase::Failed(_) | Phase::Error(_) | Phase::Cancelled(_) => true,
        };
        self.unstored.is_empty() && self.controller.live_builds().all(|(_, build)| idle(&build.phase))
    }

    /// How often in a row the state could not be stored.
    pub(super) fn failed_tries(&self) -> u32 {
        self.trouble.as_ref().map_or(0, |trouble| trouble.tries)
    }

    /// Why nothing can be decided now, if that is so.
    pub(super) fn store_trouble(&self) -> Option<StoreTrouble> {
        let trouble = self.trouble.as_ref()?;
        Some(StoreTrouble { for_ms: millis(trouble.since.elapsed()), error: trouble.error.clone() })
    }

    /// What the store said when it last did not take what was decided, if that is still so.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_ref().map(|trouble| trouble.error.as_str())
    }

    /// How many builds run.
    pub(super) fn running(&self) -> usize {
        self.controller.live_builds().filter(|(_, build)| build.phase == Phase::Running).count()
    }

    /// Lets go of the state, in good order.
    pub(super) async fn close(self) {
        self.store.close().await;
    }
}

/// Whether a note tells of a build that failed, be it to be tried again.
fn is_failure(note: &Note) -> bool {
    if let Note::BuildFinished(finished) = note {
        return finished.phase.is_failure();
    }
    matches!(note, Note::BuildRetrying { .. })
}
