//! The one task of the running daemon: takes things in until it is time to stop, then drains.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, sleep_until};

use super::engine::{Engine, GROUP};
use super::forecast::Sighting;
use super::pulse::{Pulse, Work};
use super::reload::{Asker, Reading, Reloads};
use super::start::{Looked, Refreshed};
use super::webhook::Webhooks;
use super::words::millis;
use super::{Ending, Options, Signals, answer};
use crate::controller::Event;
use crate::poll::{self, Observation};
use crate::runner::Runners;
use crate::{config, control, webhook};

/// How often `run --once` tries to store the state before it gives up; the daemon goes on for ever.
const TRIES_OF_ONCE: u32 = 6;

/// How long socket runners may take to hear that the last ends are stored.
const SETTLE: Duration = Duration::from_secs(3);

/// The running daemon.
pub(super) struct Daemon {
    pub(super) engine: Engine,
    pub(super) runner: Runners,
    pub(super) inbox: Inbox,
    pub(super) commands: mpsc::Sender<poll::Command>,
    /// Where looks for the sake of a build are told.
    pub(super) looks: mpsc::Sender<Looked>,
    /// What those looks have overtaken.
    pub(super) refreshed: Refreshed,
    pub(super) reloads: Reloads,
    pub(super) webhooks: Webhooks,
    /// Where what a plan is to be made of is told.
    pub(super) sightings: mpsc::Sender<Sighting>,
    pub(super) options: Options,
    pub(super) settings: Arc<config::Settings>,
    pub(super) started: Timestamp,
    /// Whether polling goes on.
    pub(super) polling: bool,
    /// What polling said of itself before it was stopped.
    pub(super) last_polling: answer::Polling,
    /// Whether it is about to stop.
    pub(super) draining: bool,
    /// Whether a tag could not be resolved, for `run --once`.
    pub(super) unresolved: bool,
    /// What the service manager is told.
    pub(super) pulse: Pulse,
}

/// Everything that comes in.
pub(super) struct Inbox {
    pub(super) signals: Signals,
    pub(super) readings: mpsc::Receiver<Reading>,
    pub(super) looks: mpsc::Receiver<Looked>,
    pub(super) sightings: mpsc::Receiver<Sighting>,
    pub(super) questions: mpsc::Receiver<control::Request>,
    pub(super) events: mpsc::Receiver<Event>,
    pub(super) observations: mpsc::Receiver<Observation>,
    pub(super) calls: mpsc::Receiver<webhook::Call>,
    pub(super) summaries: Interval,
}

/// The next thing that came in.
enum Input {
    Stop,
    Reload,
    /// A configuration was read for a reload.
    Read(Reading),
    /// Registries were asked for the sake of a build.
    Looked(Looked),
    /// Tags were looked at for a plan.
    Sighted(Sighting),
    Question(control::Request),
    /// Webhooks ask for builds.
    Calls(Vec<webhook::Call>),
    Events(Vec<Event>),
    /// None at all means that polling has ended.
    Observations(Vec<Observation>),
    Summary,
    /// Something waited for this instant.
    Time,
    /// The service manager may be told how things are.
    Pulse,
}

impl Inbox {
    /// Waits for the next thing. Cancel safe: nothing is taken from a channel unless it is returned.
    ///
    /// While the store is in trouble (`events` is false) events and observations stay where they are.
    async fn next(
        &mut self,
        events: bool,
        polling: bool,
        wake: Option<Instant>,
        pulse: Option<Instant>,
    ) -> Input {
        let (mut new_events, mut observations, mut calls) = (Vec::new(), Vec::new(), Vec::new());
        tokio::select! {
            biased;
            Some(()) = self.signals.stop.recv() => Input::Stop,
            Some(reading) = self.readings.recv() => Input::Read(reading),
            Some(looked) = self.looks.recv() => Input::Looked(looked),
            Some(()) = self.signals.reload.recv() => Input::Reload,
            Some(sighting) = self.sightings.recv() => Input::Sighted(sighting),
            Some(question) = self.questions.recv() => Input::Question(question),
            _ = self.events.recv_many(&mut new_events, GROUP), if events => Input::Events(new_events),
            // Behind the ends of builds: strangers must not keep those waiting.
            _ = self.calls.recv_many(&mut calls, GROUP) => Input::Calls(calls),
            _ = self.observations.recv_many(&mut observations, GROUP), if events && polling => {
                Input::Observations(observations)
            }
            _ = self.summaries.tick() => Input::Summary,
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => Input::Time,
            () = sleep_until(pulse.unwrap_or_else(Instant::now)), if pulse.is_some() => Input::Pulse,
        }
    }
}

impl Daemon {
    /// Takes things in until it is time to stop, then drains.
    pub(super) async fn serve(mut self) -> anyhow::Result<Ending> {
        let mut stopped = false;
        self.pulse.ready(work(&self.engine, self.draining)).await;
        while !self.is_done() {
            let input = self.next().await;
            if matches!(input, Input::Stop) {
                self.drain().await;
                stopped = true;
                break;
            }
            if matches!(&input, Input::Observations(observations) if observations.is_empty()) {
                self.polling = false;
                anyhow::ensure!(self.options.once, "polling has stopped: this is a bug in basewatch");
            }
            self.take(input).await;
            anyhow::ensure!(!self.engine.stopped, "the store has stopped: this is a bug in basewatch");
            let hopeless = self.options.once && self.engine.failed_tries() >= TRIES_OF_ONCE;
            anyhow::ensure!(!hopeless, "the state cannot be stored: run it again once the disk is mended");
        }
        if !stopped {
            self.pulse.stopping(work(&self.engine, self.draining)).await;
        }
        self.runner.settle(SETTLE).await;
        let failed = self.options.once && (stopped || self.unresolved || self.engine.failed);
        self.webhooks.stop(self.inbox.calls).await;
        self.engine.close().await;
        tracing::info!(event = "stopped", "stopped");
        Ok(if failed { Ending::SomethingFailed } else { Ending::Done })
    }

    async fn next(&mut self) -> Input {
        let (events, wake) = (self.engine.takes_events(), self.engine.wake_at());
        self.inbox.next(events, self.polling, wake, self.pulse.due()).await
    }

    async fn take(&mut self, input: Input) {
        if !matches!(input, Input::Pulse) {
            self.pulse.stir();
        }
        match input {
            Input::Reload => self.reload(Asker::Signal),
            Input::Read(reading) => self.finish_reload(reading).await,
            Input::Looked(looked) => self.finish_start(looked).await,
            Input::Sighted(sighting) => self.finish_plan(sighting),
            Input::Question(question) => self.answer(question).await,
            Input::Calls(calls) => self.take_calls(calls).await,
            Input::Events(events) => self.engine.step(events).await,
            Input::Observations(observations) => {
                let events =
                    observations.into_iter().filter_map(|observation| self.event_of(observation)).collect();
                self.engine.step(events).await;
            }
            Input::Time => self.engine.step(Vec::new()).await,
            Input::Summary => self.summarize().await,
            // The caller's to take.
            Input::Stop => {}
            // Told below, as where so much comes in that nobody ever waits.
            Input::Pulse => {}
        }
        if self.pulse.is_due() {
            self.pulse.tell(work(&self.engine, self.draining)).await;
        }
    }

    /// What a poll means; nothing, if something newer is known.
    fn event_of(&mut self, observation: Observation) -> Option<Event> {
        let tag = observation.tag;
        let event = match observation.outcome {
            poll::Outcome::Resolved(found) => {
                self.pulse.found(&tag);
                if self.refreshed.has_overtaken(&tag, observation.began) {
                    return None;
                }
                Event::Observed { tag, found }
            }
            poll::Outcome::Unresolved { is_v2 } => {
                self.unresolved = true;
                // It may have been on its way when a reload took the tag out.
                if self.engine.controller.watches(&tag) {
                    self.pulse.failed(&tag);
                }
                Event::Unresolved { tag, is_v2 }
            }
        };
        Some(event)
    }

    /// With `--once`: every tag was polled, and what fired has run.
    fn is_done(&self) -> bool {
        self.options.once && !self.polling && self.engine.is_idle()
    }

    /// Starts nothing more, waits for what runs here, then ends it; it runs again at the next start. What runs in socket
    /// runners is not waited for, and runs on.
    async fn drain(&mut self) {
        let patience = self.settings.daemon.drain_timeout;
        tracing::info!(
            event = "stopping",
            running = self.engine.running(),
            drain_timeout_ms = millis(patience),
            "stopping"
        );
        self.last_polling = self.ask_poller().await;
        self.last_polling.tags.values_mut().for_each(|tag| tag.next_poll = None);
        (self.polling, self.draining) = (false, true);
        // A poller that is gone already needs no word; one that is there never waits for this task.
        let _ = self.commands.send(poll::Command::Stop).await;
        self.engine.step(vec![Event::Drain]).await;
        // Not before: a manager that is busy must not have anything started meanwhile.
        self.pulse.stopping(work(&self.engine, self.draining)).await;
        let mut drained = tokio::spawn(drain(self.runner.clone(), patience));
        loop {
            // Cancel safe: nothing is taken from a channel unless it is handed on here.
            let input = tokio::select! {
                _ = &mut drained => break,
                input = self.next() => input,
            };
            if matches!(input, Input::Stop) {
                // Who asks twice does not want to wait.
                tokio::spawn(drain(self.runner.clone(), Duration::ZERO));
            }
            self.take(input).await;
        }
        let mut last = Vec::new();
        while let Ok(event) = self.inbox.events.try_recv() {
            last.push(event);
        }
        self.engine.step(last).await;
    }
}

/// What the daemon is at.
fn work(engine: &Engine, draining: bool) -> Work<'_> {
    let running = engine.running();
    let waiting = engine.controller.live_builds().count().saturating_sub(running);
    Work { running, waiting, draining, store_trouble: engine.trouble() }
}

async fn drain(runner: Runners, patience: Duration) {
    runner.drain(patience).await;
}
