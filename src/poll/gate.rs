//! The one way to a host's budget.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::Limits;
use super::budget::Budget;
use crate::registry::Gate;

/// One host's budget, shared by all that ask this host (invariant 5).
#[derive(Debug)]
pub(super) struct HostGate {
    opened: Instant,
    /// Held while its holder waits for the budget: the lock is fair, so requests leave in the order they came.
    line: tokio::sync::Mutex<()>,
    budget: Mutex<Budget>,
    /// Who waits is to look again.
    changed: Notify,
}

impl HostGate {
    /// An untouched budget.
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            opened: Instant::now(),
            line: tokio::sync::Mutex::default(),
            budget: Mutex::new(Budget::new(limits)),
            changed: Notify::new(),
        }
    }

    /// Other limits hold from now on. What was spent stays spent.
    pub(super) fn limit(&self, limits: Limits) {
        self.budget().limit(limits, self.opened.elapsed());
        self.changed.notify_waiters();
    }

    /// Not to be held across an await.
    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Result<(), Duration> {
        self.budget().take(self.opened.elapsed())
    }
}

impl Gate for HostGate {
    /// Cancel safe: who stops waiting has spent nothing.
    async fn permit(&self) {
        let _line = self.line.lock().await;
        loop {
            let changed = self.changed.notified();
            let Err(wait) = self.take() else { return };
            tokio::select! {
                () = sleep(wait) => {}
                () = changed => {}
            }
        }
    }
}
