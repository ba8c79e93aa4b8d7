//! Runs builds outside the daemon, in socket runners: each attempt is a conversation with an instance of its own
//! (`../instance`), which outlives a restart of the daemon.
//!
//! # What is promised
//! - An attempt that may be alive is never told to be over without its instance's word. A connection that breaks is made
//!   again for as long as it takes; only `unknown` and an end that the instance tells are ends.
//! - What an instance says is a stranger's word: lines and pieces are bounded, output must go on where it ended, and what
//!   cannot be understood ends the connection, not the attempt.
//! - The daemon does not wait for these builds at its own end: it lets them go, and attaches to them at the next start.
//!
//! # Failure points
//! In this order: `socket-before-files` (the build's files at the daemon), `socket-before-start`,
//! `socket-before-accepted` (the instance has the attempt, and only it knows), `socket-before-ended` (the attempt is over,
//! and nobody has stored that), `socket-before-acknowledge` (the instance still keeps it).

mod link;
mod mirror;
mod talk;
#[cfg(test)]
mod tests;
mod trouble;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::Settings;
use crate::controller::{AttemptRef, BuildKey, BuildSpec, Event};
use crate::logging::BuildOutput;
use talk::Talk;
use trouble::Troubles;

/// The wait before a conversation whose task panicked is taken up again.
const AFTER_PANIC: Duration = Duration::from_secs(10);

/// The socket runners. Cloning costs a counter; all clones are one.
#[derive(Debug, Clone)]
pub(super) struct Sockets {
    shared: Arc<Shared>,
    events: mpsc::Sender<Event>,
}

#[derive(Debug)]
struct Shared {
    /// What the next attempts are told.
    settings: watch::Sender<Arc<Settings>>,
    /// Where each runner is, by the name that the configuration gives it.
    paths: watch::Sender<BTreeMap<Box<str>, PathBuf>>,
    live: watch::Sender<Live>,
    troubles: Troubles,
}

/// The attempts whose end is not told, or not acknowledged yet.
#[derive(Debug, Default)]
struct Live {
    attempts: BTreeMap<(BuildKey, u32), watch::Sender<Orders>>,
    /// The daemon ends: nothing is started or taken up any more.
    let_go: bool,
}

/// What is wanted of an attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Orders {
    /// Its end.
    cancel: bool,
    /// That its instance forgets it.
    acknowledge: bool,
    /// Nothing more: the next daemon takes it up.
    let_go: bool,
}

impl Sockets {
    pub(super) fn new(
        settings: Settings,
        paths: BTreeMap<Box<str>, PathBuf>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let shared = Shared {
            settings: watch::Sender::new(Arc::new(settings)),
            paths: watch::Sender::new(paths),
            live: watch::Sender::new(Live::default()),
            troubles: Troubles::default(),
        };
        Self { shared: Arc::new(shared), events }
    }

    pub(super) fn set_output(&self, output: BuildOutput) {
        self.shared.settings.send_modify(|settings| {
            *settings = Arc::new(Settings { output, ..(**settings).clone() });
        });
    }

    /// Where the runners are from now on. An attempt that was accepted is looked for where it was.
    pub(super) fn set_paths(&self, paths: BTreeMap<Box<str>, PathBuf>) {
        self.shared.paths.send_replace(paths);
    }

    pub(super) fn start(&self, attempt: AttemptRef, spec: BuildSpec) {
        self.talk(attempt, Some(Box::new(spec)));
    }

    pub(super) fn adopt(&self, attempt: AttemptRef) {
        self.talk(attempt, None);
    }

    pub(super) fn cancel(&self, attempt: &AttemptRef) {
        self.order(attempt, |orders| orders.cancel = true);
    }

    /// One that is not alive any more was told to be gone: nobody remembers it.
    pub(super) fn acknowledge(&self, attempt: &AttemptRef) {
        self.order(attempt, |orders| orders.acknowledge = true);
    }

    /// Lets go of every attempt that has not ended.
    pub(super) fn let_go(&self) {
        self.shared.live.send_modify(|live| {
            live.let_go = true;
            live.attempts.values().for_each(|orders| orders.send_modify(|orders| orders.let_go = true));
        });
    }

    /// Waits until every end that was told is acknowledged, but no longer than `patience`.
    pub(super) async fn settle(&self, patience: Duration) {
        let mut live = self.shared.live.subscribe();
        // What is not acknowledged by then is forgotten by its runner in time.
        let _ = timeout(patience, live.wait_for(|live| live.attempts.is_empty())).await;
    }

    fn order(&self, attempt: &AttemptRef, change: impl FnOnce(&mut Orders)) {
        if let Some(orders) = self.shared.live.borrow().attempts.get(&key(attempt)) {
            orders.send_modify(change);
        }
    }

    fn talk(&self, attempt: AttemptRef, spec: Option<Box<BuildSpec>>) {
        let (orders, ordered) = watch::channel(Orders::default());
        self.shared.live.send_modify(|live| {
            orders.send_modify(|orders| orders.let_go = live.let_go);
            live.attempts.insert(key(&attempt), orders);
        });
        tokio::spawn(self.clone().see_through(attempt, spec, ordered));
    }

    /// An attempt whose conversation panicked may be alive: it is attached to again. That is a bug, and logged as such.
    async fn see_through(
        self,
        attempt: AttemptRef,
        mut spec: Option<Box<BuildSpec>>,
        orders: watch::Receiver<Orders>,
    ) {
        loop {
            let talk = Talk::new(self.clone(), attempt.clone(), orders.clone());
            let Err(error) = tokio::spawn(talk.run(spec.take())).await else { break };
            let AttemptRef { build, attempt: number, .. } = &attempt;
            tracing::error!(event = "task_panicked", %build, attempt = number, %error, "attempt task stopped");
            sleep(AFTER_PANIC).await;
        }
        self.shared.live.send_modify(|live| drop(live.attempts.remove(&key(&attempt))));
    }

    /// The socket of a runner, by the name that the configuration gives it now.
    fn path(&self, runner: &str) -> Option<PathBuf> {
        self.shared.paths.borrow().get(runner).cloned()
    }

    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.shared.settings.borrow())
    }
}

fn key(attempt: &AttemptRef) -> (BuildKey, u32) {
    (attempt.build.clone(), attempt.attempt)
}
